"""Tables of DynamoDB land once: all of them by scan, or their changes from the stream."""

import gzip
import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import pytest

from connectors.aws import aws_client
from connectors.errors import ConfigurationError, ServiceUnavailable
from connectors.loads.dynamodb import DynamoTable
from connectors.loads.dynamodb_exports import Export, next_export
from connectors.loads.dynamodb_streams import StreamReader
from connectors.loads.load import load_table
from connectors.loads.reading import Reading
from connectors.loads.window import Window
from tests.aws import moto_server
from tests.loads import declare, load_settings, quarantined, rows, version

WANTED = {"big": "decimal(0)"}


def create(client, name, *, stream):
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "cart_id", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "cart_id", "AttributeType": "S"},
            {"AttributeName": "n", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": stream} | ({"StreamViewType": "NEW_IMAGE"} if stream else {}),
    )


@pytest.fixture(scope="module")
def aws():
    with moto_server() as aws:
        yield aws


@pytest.fixture
def client(aws):
    return aws_client(aws, "dynamodb")


@pytest.fixture
def named(client):
    """The names of the tables of this test."""
    names = {name: f"{name}-{uuid.uuid4().hex}" for name in ("carts", "sessions")}
    for name, full in names.items():
        create(client, full, stream=name == "carts")
    return names


@pytest.fixture
def settings(aws, named, tmp_path):
    tables = {
        "carts": {"table": named["carts"], "mode": "stream", "columns": WANTED},
        "sessions": {"table": named["sessions"], "segments": 3, "columns": WANTED},
        "unstreamed": {"table": named["sessions"], "mode": "stream"},
    }
    return load_settings(tmp_path, {"shop_dynamodb": {"type": "dynamodb", "tables": tables}}, aws=aws)


@pytest.fixture
def put(client, named):
    def put(cart, n=1, *, table="carts", **attributes):
        client.put_item(TableName=named[table], Item={"cart_id": {"S": cart}, "n": {"N": str(n)}, **attributes})

    return put


def load(settings, table="carts", **options):
    return load_table(settings, "shop_dynamodb", table, **options)


def carts(settings, columns="cart_id, n::int"):
    return rows(settings, f"select {columns} from shop_dynamodb.carts order by all")


def test_every_type_is_kept(settings, put):
    put(
        "a",
        table="sessions",
        name={"S": "Ünïcode"},
        big={"N": "12345678901234567890123456789012345678"},
        small={"N": "-1.5e-3"},
        flag={"BOOL": True},
        nothing={"NULL": True},
        raw={"B": b"\0\xff"},
        nested={"M": {"k": {"L": [{"N": "1.10"}, {"NULL": True}, {"B": b"x"}, {"BOOL": False}]}}},
        words={"SS": ["b", "a"]},
        numbers={"NS": ["10", "9"]},
        blobs={"BS": [b"b", b"a"]},
    )
    put("b", table="sessions")
    assert load(settings, "sessions").rows == 2
    names = "name, big, small, flag, nothing, raw, nested, words, numbers, blobs"
    [found, sparse] = rows(settings, f"select {names} from shop_dynamodb.sessions order by cart_id")
    assert found == (
        "Ünïcode",
        Decimal("12345678901234567890123456789012345678"),
        Decimal("-0.0015"),
        True,
        None,
        b"\0\xff",
        '{"k":[1.10,null,"eA==",false]}',
        '["a","b"]',
        "[9,10]",
        '["YQ==","Yg=="]',
    )
    assert sparse == (None,) * 10


def test_a_full_load_by_segments_has_every_item_once(settings, put, client, named):
    for n in range(200):
        put(f"c{n}", n, table="sessions", seen={"N": str(n)})
    report = load(settings, "sessions")
    assert report.rows == 200
    client.delete_item(TableName=named["sessions"], Key={"cart_id": {"S": "c7"}, "n": {"N": "7"}})
    load(settings, "sessions")
    found = rows(settings, "select count(*), count(distinct cart_id), sum(seen)::int from shop_dynamodb.sessions")
    assert found == [(199, 199, 199 * 100 - 7)]


def test_consumed_capacity_is_reported(settings, put):
    put("a", table="sessions")
    assert load(settings, "sessions").consumed_capacity > 0


def test_changes_follow_from_the_stream(settings, put, client, named):
    put("a", 1, total={"N": "1"})
    put("b", 1)
    load(settings)
    put("a", 1, total={"N": "2"})
    put("a", 1, total={"N": "3"})
    put("c", 1, coupon={"S": "X"})
    client.delete_item(TableName=named["carts"], Key={"cart_id": {"S": "b"}, "n": {"N": "1"}})
    report = load(settings)
    assert (report.rows, report.commits) == (4, 1)
    assert carts(settings, "cart_id, total::int, coupon") == [("a", 3, None), ("c", None, "X")]
    before = version(settings, "shop_dynamodb", "carts")
    assert load(settings).commits == 0
    assert version(settings, "shop_dynamodb", "carts") == before


def test_a_table_may_be_empty_at_first(settings, put):
    load(settings)
    assert rows(settings, "select count(*) from shop_dynamodb.carts") == [(0,)]
    put("a")
    load(settings)
    assert carts(settings) == [("a", 1)]


def test_keys_of_38_digits_are_not_mixed_up(settings, put):
    """File statistics would round them: a merge that trusts those would insert them twice."""
    first = 10**28
    for n in range(5):
        put("k", first + n, seen={"N": "0"})
    load(settings)
    for n in range(5):
        put("k", first + n, seen={"N": "1"})
    load(settings)
    assert carts(settings, "n::hugeint, seen::int") == [(first + n, 1) for n in range(5)]


def test_a_lost_position_leads_to_a_scan(settings, put, client, named):
    put("a")
    load(settings)
    client.delete_table(TableName=named["carts"])
    create(client, named["carts"], stream=True)
    put("b")
    load(settings)
    assert carts(settings) == [("b", 1)]


def test_a_table_can_be_scanned_again(settings, put):
    put("a")
    load(settings)
    assert load(settings, window=Window(again=True)).rows >= 1
    assert carts(settings) == [("a", 1)]


def test_a_value_of_another_type_is_rejected(settings, put):
    put("a", total={"N": "1"})
    load(settings)
    put("b", total={"S": "one"})
    put("c", total={"N": "1e-20"})
    put("d", Total={"N": "1"}, total={"N": "2"})
    assert load(settings).rejected == 3
    assert carts(settings) == [("a", 1)]
    assert [reason for (reason,) in quarantined(settings, "reason")] == [
        "column total is no decimal(9): 0.00000000000000000001",
        "column total is no decimal(9): one",
        "two attributes are column total",
    ]


def test_a_table_without_a_stream_is_said(settings):
    with pytest.raises(ConfigurationError, match="has no stream of new images"):
        load(settings, "unstreamed")


SHARDS = [{"ShardId": "b", "ParentShardId": "a"}, {"ShardId": "c", "ParentShardId": "b"}]


class StreamOfShards:
    """DynamoDB Streams that lists these shards; their iterators are all there."""

    def __init__(self, shards):
        self.shards = shards

    def describe_stream(self, **_):
        return {"StreamDescription": {"Shards": self.shards}}

    def get_shard_iterator(self, *, ShardId, **_):  # noqa: N803 - as boto3 has it
        return {"ShardIterator": ShardId}


@pytest.mark.parametrize(
    ("known", "lost"),
    [
        ({"b": "7"}, False),  # c followed
        ({"b": "end", "c": None}, False),
        ({"a": "end"}, False),  # b followed
        ({"a": "7"}, True),  # a went before it was read to its end
        ({"x": "end"}, True),  # a came and went unread
    ],
)
def test_a_shard_that_came_and_went_unread_is_noticed(known, lost):
    assert StreamReader(StreamOfShards(SHARDS), "arn").is_lost(known) is lost


def test_a_table_is_loaded_from_its_export(settings, aws, client, named, put):
    s3 = aws_client(aws, "s3")
    s3.create_bucket(Bucket="exports")
    declare(settings, "shop_dynamodb", "sessions", mode="export", export_bucket="exports")
    put("a", table="sessions", raw={"B": b"\0\xff"}, nested={"L": [{"B": b"x"}]}, total={"N": "1.5"})
    put("b", table="sessions")
    with pytest.raises(ConfigurationError, match="has no point-in-time recovery"):
        load(settings, "sessions")
    client.update_continuous_backups(
        TableName=named["sessions"], PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    # The stand-in's export of changes is one of everything, too; there is one if the hour is older than a quarter.
    assert load(settings, "sessions").rows in (2, 4)
    found = rows(settings, "select cart_id, raw, nested, total::double from shop_dynamodb.sessions order by all")
    assert found == [("a", b"\0\xff", '["eA=="]', 1.5), ("b", None, None, None)]
    assert load(settings, "sessions").commits <= 1  # it may be a quarter of an hour later


class ExportedChanges:
    """DynamoDB whose export of changes is there already, as AWS writes it."""

    def __init__(self, items):
        self.items = items

    def export_table_to_point_in_time(self, **_):
        return {"ExportDescription": {"ExportArn": "arn"}}

    def describe_export(self, **_):
        return {"ExportDescription": {"ExportStatus": "COMPLETED", "ItemCount": self.items}}


@pytest.mark.parametrize("items", [2, 3])
def test_changes_are_read_from_an_incremental_export(aws, tmp_path, items):
    s3 = aws_client(aws, "s3")
    bucket = f"changes-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=bucket)
    changes = [
        {
            "Metadata": {"WriteTimestampMicros": {"N": "1700000000000000"}},
            "Keys": {"id": {"S": "a"}},
            "NewImage": {"id": {"S": "a"}, "n": {"N": "2"}},
        },
        {"Metadata": {"WriteTimestampMicros": {"N": "1700000000000001"}}, "Keys": {"id": {"S": "b"}}},
    ]
    span = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    key = "x/t/20260101T0000-20260102T0000/AWSDynamoDB/0-1/data/f.json.gz"
    s3.put_object(Bucket=bucket, Key=key, Body=gzip.compress("\n".join(map(json.dumps, changes)).encode()))
    export = Export((ExportedChanges(items), s3), "arn:aws:dynamodb:::table/t", (bucket, "x"), ("id",), span)
    with duckdb.connect() as connection:
        reading = Reading(connection, DynamoTable(table="ttt"), {})
        if items == 3:
            with pytest.raises(ServiceUnavailable, match="has 2 items, and the export 3"):
                list(export.read(reading))
            return
        [found] = export.read(reading)
    assert found.select(["id", "_deleted"]).to_pylist() == [
        {"id": "a", "_deleted": False},
        {"id": "b", "_deleted": True},
    ]
    assert export.done().key == ("id",)
    assert export.done().replaced is None


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("done", "now", "wanted"),
    [
        (None, "2026-01-02T10:40", (None, at("2026-01-02T10:00"))),
        ("2026-01-02T10:00", "2026-01-02T10:14", None),
        ("2026-01-02T10:00", "2026-01-02T10:44", (at("2026-01-02T10:00"), at("2026-01-02T10:30"))),
        ("2026-01-02T10:00", "2026-01-05T10:44", (at("2026-01-02T10:00"), at("2026-01-03T10:00"))),
    ],
)
def test_exports_are_of_whole_spans(done, now, wanted):
    progress = {} if done is None else {"exported_to": at(done).isoformat()}
    assert next_export(progress, at(now)) == wanted
