"""Objects of S3 land once, typed; what can't be read goes to quarantine with file and line, and the rest goes on."""

import gzip
import io
import json
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.awsrequest import AWSResponse
from typer.testing import CliRunner

from connectors.aws import aws_client
from connectors.cdc.replay import rejected_tables, replay_table
from connectors.errors import ConfigurationError, ContractMismatch, ServiceUnavailable
from connectors.lake.layout import LakeLayout
from connectors.lake.quarantine import open_quarantine
from connectors.lake.storage import scratch_connection
from connectors.loads.compare import compare_load
from connectors.loads.load import load_table
from connectors.loads.s3_objects import S3Objects
from connectors.loads.window import Window
from connectors.postgres.identifiers import TableName
from connectors.settings import AwsSettings, LakeSettings
from deployments.cli import app
from tests.aws import moto_server
from tests.loads import declare, load_settings, quarantined, rows, version
from tests.s3 import s3_of_its_own

CLICKS = {
    "path": "clicks/%Y/%m/%d/*.jsonl.gz",
    "columns": {"id": "bigint", "seen_at": "timestamp", "price": "decimal(2)"},
}
PRICES = {"path": "prices/**.csv*", "columns": {"price": "decimal(2)", "valid_from": "date"}}
PARCELS = {"path": "parcels/*.parquet"}


@pytest.fixture(scope="module")
def aws():
    with moto_server() as aws:
        yield aws


@pytest.fixture
def bucket(aws, tmp_path):
    """A bucket of its own."""
    name = f"b{abs(hash(str(tmp_path)))}"
    client = aws_client(aws, "s3")
    client.create_bucket(Bucket=name)
    return name


@pytest.fixture
def settings(aws, bucket, tmp_path):
    tables = {"clicks": CLICKS, "prices": PRICES, "parcels": PARCELS}
    return load_settings(tmp_path, {"shop_s3": {"type": "s3_objects", "bucket": bucket, "tables": tables}}, aws=aws)


@pytest.fixture
def put(aws, bucket):
    client = aws_client(aws, "s3")

    def put(key, content):
        client.put_object(Bucket=bucket, Key=key, Body=content)

    return put


@pytest.fixture
def delete(aws, bucket):
    client = aws_client(aws, "s3")
    return lambda key: client.delete_object(Bucket=bucket, Key=key)


def clicks(*ids, **more):
    lines = (json.dumps({"id": n, "seen_at": "2026-01-01T10:00:00+01:00", "price": n + 0.1, **more}) for n in ids)
    return gzip.compress("\n".join(lines).encode())


def csv(*lines, header="sku,name,price,valid_from"):
    return "\r\n".join([header, *lines, ""]).encode()


def load(settings, table, **options):
    return load_table(settings, "shop_s3", table, **options)


def test_only_new_objects_are_loaded(settings, put):
    put("clicks/2026/01/01/00.jsonl.gz", clicks(1, 2))
    assert load(settings, "clicks").rows == 2
    before = version(settings, "shop_s3", "clicks")
    again = load(settings, "clicks")
    assert (again.rows, again.commits, again.version) == (0, 0, before)
    put("clicks/2026/01/02/00.jsonl.gz", clicks(3))
    assert load(settings, "clicks").rows == 1
    found = rows(settings, "select id, seen_at::varchar, price::varchar, _day, _row from shop_s3.clicks order by id")
    assert found[2] == (3, "2026-01-01 09:00:00+00", "3.10", date(2026, 1, 2), 1)
    assert len(found) == 3


def test_an_overwritten_object_replaces_its_rows(settings, put):
    put("clicks/2026/01/01/00.jsonl.gz", clicks(1, 2))
    put("clicks/2026/01/01/01.jsonl.gz", clicks(3))
    load(settings, "clicks")
    before = version(settings, "shop_s3", "clicks")
    put("clicks/2026/01/01/00.jsonl.gz", clicks(7))
    load(settings, "clicks")
    assert rows(settings, "select id from shop_s3.clicks order by id") == [(3,), (7,)]
    assert version(settings, "shop_s3", "clicks") == before + 1


@pytest.mark.parametrize("policy", ["keep", "remove"])
def test_deleted_objects_are_a_policy(settings, put, delete, policy):
    declare(settings, "shop_s3", "prices", on_deleted=policy)
    put("prices/a.csv", csv("A,a,1.00,2026-01-01"))
    put("prices/b.csv", csv("B,b,2.00,2026-01-01"))
    load(settings, "prices")
    delete("prices/a.csv")
    load(settings, "prices")
    left = [("B",)] if policy == "remove" else [("A",), ("B",)]
    assert rows(settings, "select sku from shop_s3.prices order by sku") == left


def test_many_objects_are_several_commits(settings, put):
    small = settings.model_copy(update={"loads": settings.loads.model_copy(update={"slice_bytes": 1})})
    for n in range(3):
        put(f"clicks/2026/01/01/{n:02}.jsonl.gz", clicks(n))
    assert load(small, "clicks").commits == 3
    assert rows(settings, "select count(*) from shop_s3.clicks") == [(3,)]


def test_a_new_column_is_added(settings, put):
    put("clicks/2026/01/01/00.jsonl.gz", clicks(1))
    load(settings, "clicks")
    put("clicks/2026/01/01/01.jsonl.gz", clicks(2, Page={"id": 1.10}))
    assert load(settings, "clicks").new_columns == ("page",)
    assert rows(settings, "select id, page from shop_s3.clicks order by id") == [(1, None), (2, '{"id": 1.1}')]


def test_a_frozen_table_refuses_a_new_column(settings, put):
    put("clicks/2026/01/01/00.jsonl.gz", clicks(1))
    load(settings, "clicks")
    declare(settings, "shop_s3", "clicks", new_columns="freeze")
    put("clicks/2026/01/01/01.jsonl.gz", clicks(2, page=1))
    with pytest.raises(ContractMismatch, match=r"01.jsonl.gz has columns that the table does not have: page"):
        load(settings, "clicks")
    assert rows(settings, "select id from shop_s3.clicks") == [(1,)]
    declare(settings, "shop_s3", "clicks", columns={**CLICKS["columns"], "page": "bigint"})
    load(settings, "clicks")
    assert rows(settings, "select id, page from shop_s3.clicks order by id") == [(1, None), (2, 1)]


def test_rows_with_a_new_column_can_go_to_quarantine(settings, put):
    put("clicks/2026/01/01/00.jsonl.gz", clicks(1))
    load(settings, "clicks")
    declare(settings, "shop_s3", "clicks", new_columns="quarantine")
    put("clicks/2026/01/01/01.jsonl.gz", gzip.compress(b'{"id": 2, "page": 1}\n{"id": 3}'))
    assert load(settings, "clicks").rejected == 1
    assert rows(settings, "select id from shop_s3.clicks order by id") == [(1,), (3,)]
    assert quarantined(settings) == [
        ("shop_s3.clicks", "clicks/2026/01/01/01.jsonl.gz", 1, "column page is not declared"),
    ]


def test_personal_data_is_hashed_or_dropped(settings, put):
    declare(settings, "shop_s3", "clicks", pii={"Email": "hash", "ip": "drop"})
    put("clicks/2026/01/01/00.jsonl.gz", clicks(1, 2, Email="ada@example.org", ip="10.0.0.1"))
    with pytest.raises(ConfigurationError, match="there is no salt"):
        load(settings, "clicks")
    salted = settings.model_copy(update={"loads": settings.loads.model_copy(update={"pii_salt": "pepper"})})
    salted = type(salted).model_validate(salted.model_dump())
    load(salted, "clicks")
    [(distinct, length)] = rows(settings, "select count(distinct email), max(len(email)) from shop_s3.clicks")
    assert (distinct, length) == (1, 64)
    assert [n for n, *_ in rows(settings, "describe shop_s3.clicks") if n == "ip"] == []
    put("clicks/2026/01/01/01.jsonl.gz", gzip.compress(b'{"id": "x", "Email": "ada@example.org"}'))
    load(salted, "clicks")
    assert quarantined(settings, "reason, decode(value)") == [("column id is no bigint: ", "")]


BAD_LINES = {
    "no JSON": (b'{"id": 1}\n{"id": 2\n{"id": 3}', 2, "it is no JSON object"),
    "a list": (b'{"id": 1}\n[2]\n{"id": 3}', 2, "it is no JSON object"),
    "NUL bytes": (b'{"id": 1}\n{"id": 2, "t": "a\0b"}\n{"id": 3}', 2, "it is no JSON object"),
    "not UTF-8": (b'{"id": 1}\n{"id": 2, "t": "\xe9"}\n{"id": 3}', 2, "it is no JSON object"),
    "half a surrogate": (b'{"id": 1}\n{"id": 2, "t": "\\ud800"}\n{"id": 3}', 2, "it is no JSON object"),
    "a number that does not fit": (b'{"id": 1}\n{"id": 1e30}\n{"id": 3}', 2, "column id is no bigint: 1e30"),
    "more decimals": (b'{"id": 1}\n{"id": 2, "price": 1.005}\n{"id": 3}', 2, "column price is no decimal(2): 1.005"),
    "no time": (b'{"id": 1}\n{"id": 2, "seen_at": "soon"}\n{"id": 3}', 2, "column seen_at is no timestamp: soon"),
    "two names of one column": (b'{"id": 1}\n{"id": 2, "Id": 2}\n{"id": 3}', 2, "it is no JSON object"),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_bad_line_is_rejected_alone(settings, put, case):
    content, line, reason = BAD_LINES[case]
    put("clicks/2026/01/01/00.jsonl.gz", content)
    assert load(settings, "clicks").rejected == 1
    assert rows(settings, "select id from shop_s3.clicks order by id") == [(1,), (3,)]
    [(table, file, found, why)] = quarantined(settings)
    assert (table, file, found) == ("shop_s3.clicks", "clicks/2026/01/01/00.jsonl.gz", line)
    assert why.startswith(reason)


def test_a_byte_order_mark_is_no_part_of_the_first_name(settings, put):
    put("prices/a.csv", b"\xef\xbb\xbf" + csv("A,a,1.00,2026-01-01"))
    put("clicks/2026/01/01/00.jsonl.gz", b"\xef\xbb\xbf" + b'{"id": 1}')
    load(settings, "prices")
    load(settings, "clicks")
    assert rows(settings, "select sku, id from shop_s3.prices, shop_s3.clicks") == [("A", 1)]


def test_a_line_of_200_mb_is_rejected_in_bounded_memory(settings, put):
    long = gzip.compress(b'{"id": 1}\n{"id": 2, "t": "' + b"x" * 200_000_000 + b'"}\n{"id": 3}', compresslevel=1)
    put("clicks/2026/01/01/00.jsonl.gz", long)
    load(settings, "clicks")
    assert rows(settings, "select id from shop_s3.clicks order by id") == [(1,), (3,)]
    [(line, reason, kept)] = quarantined(settings, "stream_offset, reason, octet_length(value)")
    assert (line, reason, kept) == (2, "the line has more than 16,777,216 bytes", 65_536)


BAD_CSV = {
    "a shifted column": ("B,b,extra,2.00,2026-01-01", "it has 5 fields, and the header 4"),
    "too few fields": ("B,b", "it has 2 fields, and the header 4"),
    "a quote within": ('B,"b"2,2.00,2026-01-01', "expected"),
    "a quote that is never closed": ('B,"b,2.00,2026-01-01', "unexpected end of data"),
    "NUL bytes": ("B,b\0,2.00,2026-01-01", "column name has a NUL byte"),
    "a decimal comma": ('B,b,"2,00",2026-01-01', "column price is no decimal(2): 2,00"),
}


@pytest.mark.parametrize("case", BAD_CSV)
def test_a_bad_row_of_csv_is_rejected_alone(settings, put, case):
    line, reason = BAD_CSV[case]
    put("prices/a.csv", csv('A,"two\nlines, quoted",1.00,2026-01-01', line, "C,c,3.00,2026-01-01", "D,,,"))
    load(settings, "prices")
    found = rows(settings, "select sku, name, price::varchar, _row from shop_s3.prices order by sku")
    assert found == [("A", "two\nlines, quoted", "1.00", 2), ("C", "c", "3.00", 5), ("D", None, None, 6)]
    [(_, file, number, why)] = quarantined(settings)
    assert (file, number) == ("prices/a.csv", 4)
    assert reason in why


def test_text_in_the_wrong_encoding_is_rejected_until_it_is_declared(settings, put):
    put("prices/a.csv", csv("A,a,1.00,2026-01-01") + "B,Käse,2.00,2026-01-01\n".encode("cp1252"))
    load(settings, "prices")
    assert quarantined(settings, "stream_offset, reason") == [(3, "column name is not in the file's encoding")]
    declare(settings, "shop_s3", "prices", encoding="cp1252")
    load(settings, "prices", window=Window(again=True))
    assert rows(settings, "select sku, name from shop_s3.prices order by sku") == [("A", "a"), ("B", "Käse")]


BROKEN = {
    "truncated gzip": ("prices/b.csv.gz", gzip.compress(csv(*["B,b,2.00,2026-01-01"] * 5000))[:-9], "damaged"),
    "truncated zstd": (
        "prices/b.csv.zst",
        pa.compress(csv("B,b,2.00,2026-01-01"), "zstd", asbytes=True)[:-5],
        "damaged",
    ),
    "UTF-16": ("prices/b.csv", csv("B,b,2.00,2026-01-01").decode().encode("utf-16"), "the file is UTF-16, not UTF-8"),
    "two columns of one name": ("prices/b.csv", csv("1,2,3,4", header="sku,SKU,a,b"), "distinct names"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_of_a_broken_object_no_row_is_loaded(settings, put, case):
    key, content, reason = BROKEN[case]
    put("prices/a.csv", csv("A,a,1.00,2026-01-01"))
    put(key, content)
    load(settings, "prices")
    assert rows(settings, "select sku from shop_s3.prices") == [("A",)]
    [(_, file, _, why)] = quarantined(settings)
    assert file == key
    assert reason in why
    assert load(settings, "prices").commits == 0


def test_a_broken_new_version_leaves_the_rows_of_the_last_good_one(settings, put):
    put("prices/b.csv", csv("B,b,2.00,2026-01-01"))
    load(settings, "prices")
    put("prices/b.csv", gzip.compress(csv("B,b,9.00,2026-01-01"))[:-9])
    load(settings, "prices")
    assert rows(settings, "select price::varchar from shop_s3.prices") == [("2.00",)]
    put("prices/b.csv", csv("B,b,3.00,2026-01-01"))
    load(settings, "prices")
    assert rows(settings, "select price::varchar from shop_s3.prices") == [("3.00",)]


def parquet(table):
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def test_parquet_keeps_its_types(settings, put):
    given = pa.table(
        {
            "parcel": pa.array([1, 2], pa.int32()),
            "weight": pa.array([1.5, None], pa.float32()),
            "fee": pa.array([1, 2], pa.int64()).cast(pa.decimal128(22, 3)),
            "at": pa.array([0, 1], pa.timestamp("ns", tz="UTC")),
            "route": pa.array([[{"hub": "A"}], None]),
            "label": pa.array([b"\0\xff", None], pa.binary()),
        }
    )
    put("parcels/a.parquet", parquet(given))
    put("parcels/b.parquet", parquet(given)[:-20])
    load(settings, "parcels")
    [first, second] = rows(settings, "select * exclude (_object, _etag, _loaded_at) from shop_s3.parcels order by 1")
    assert [str(value) for value in first[:3]] == ["1", "1.5", "1.000"]
    assert first[4:] == ('[{"hub":"A"}]', b"\0\xff", 1)
    assert second[1] is None
    [(_, file, _, reason)] = quarantined(settings)
    assert file == "parcels/b.parquet"
    assert reason.startswith("the Parquet file is damaged")


@pytest.mark.parametrize("how", ["vanishes", "is overwritten"])
def test_an_object_may_change_between_listing_and_reading(settings, put, delete, monkeypatch, how):
    put("prices/a.csv", csv("A,a,1.00,2026-01-01"))
    put("prices/b.csv", csv("B,b,2.00,2026-01-01"))
    fetch = S3Objects.fetch

    def meanwhile(source, found, file):
        if found.key == "prices/a.csv":
            delete("prices/a.csv") if how == "vanishes" else put("prices/a.csv", csv("A,a,9.00,2026-01-01"))
        return fetch(source, found, file)

    with monkeypatch.context() as patched:
        patched.setattr(S3Objects, "fetch", meanwhile)
        report = load(settings, "prices")
    assert rows(settings, "select sku from shop_s3.prices") == [("B",)]
    if how == "vanishes":
        assert quarantined(settings, "decode(key), reason") == [
            ("prices/a.csv", "the object vanished between listing and reading")
        ]
        return
    assert report.notes == ("prices/a.csv was overwritten while it was read: the next load takes it",)
    load(settings, "prices")
    assert rows(settings, "select sku, price::varchar from shop_s3.prices order by sku")[0] == ("A", "9.00")


def test_what_was_committed_before_credentials_expired_stays(settings, put, monkeypatch):
    small = settings.model_copy(update={"loads": settings.loads.model_copy(update={"slice_bytes": 1})})
    for n in range(3):
        put(f"clicks/2026/01/01/{n:02}.jsonl.gz", clicks(n))
    fetch, calls = S3Objects.fetch, []

    def expiring(source, found, file):
        calls.append(found)
        if len(calls) == 3:
            source._client.meta.events.register("before-send.s3.GetObject", expired)
        return fetch(source, found, file)

    def expired(request, **_):
        body = b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
        response = AWSResponse(request.url, 400, {}, io.BytesIO(body))
        response._content = body
        return response

    with monkeypatch.context() as patched:
        patched.setattr(S3Objects, "fetch", expiring)
        with pytest.raises(ServiceUnavailable, match="ExpiredToken"):
            load(small, "clicks")
    assert rows(settings, "select count(*) from shop_s3.clicks") == [(2,)]
    assert load(settings, "clicks").rows == 1


def test_a_range_of_days_is_loaded_again(settings, put):
    for day in (1, 2, 3):
        put(f"clicks/2026/01/{day:02}/00.jsonl.gz", clicks(day))
    window = Window(date(2026, 1, 2), date(2026, 1, 3))
    assert load(settings, "clicks", window=window).rows == 1
    assert rows(settings, "select id from shop_s3.clicks") == [(2,)]
    load(settings, "clicks")
    report = load(settings, "clicks", window=Window(date(2026, 1, 1), date(2026, 1, 3), again=True))
    assert (report.rows, report.commits) == (2, 2)
    assert rows(settings, "select id from shop_s3.clicks order by id") == [(1,), (2,), (3,)]


def test_a_table_without_days_has_no_range(settings):
    with pytest.raises(ConfigurationError, match=r"the objects of prices are of no day"):
        load(settings, "prices", window=Window(since=date(2026, 1, 1)))


def test_a_bucket_that_is_not_there_is_said(settings):
    tree = settings.loads.file.read_text().replace("bucket: b", "bucket: no-")
    settings.loads.file.write_text(tree)
    with pytest.raises(ConfigurationError, match="NoSuchBucket"):
        load(settings, "prices")


def outcomes(settings):
    layout = LakeLayout.of(settings)
    with scratch_connection(layout.root) as connection:
        open_quarantine(connection, layout)
        return connection.execute("SELECT stream_offset, outcome FROM quarantined ORDER BY rejected_at, 1").fetchall()


def test_rejected_rows_are_replayed_after_the_fix(settings, put):
    put("prices/a.csv", csv("A,a,1.00,2026-01-01", "B,b,2.005,2026-01-01", "C,c,x,2026-01-01"))
    put("prices/b.csv", csv("D,d,4.00,2026-01-01"))
    load(settings, "prices")
    assert rejected_tables(settings, ["shop_s3.*"]) == [TableName("shop_s3", "prices")]
    declare(settings, "shop_s3", "prices", columns={"price": "decimal(3)", "valid_from": "date"})
    report = replay_table(settings, TableName("shop_s3", "prices"), checked=None)
    assert (report.replayed, report.superseded, report.rejected) == (1, 0, 1)
    found = rows(settings, "select sku, price::varchar from shop_s3.prices order by sku")
    assert found == [("A", "1.000"), ("B", "2.005"), ("D", "4.000")]


def test_a_type_that_would_lose_a_value_is_refused(settings, put):
    put("prices/a.csv", csv("A,a,1.25,2026-01-01"))
    load(settings, "prices")
    declare(settings, "shop_s3", "prices", columns={"price": "decimal(1)", "valid_from": "date"})
    with pytest.raises(ContractMismatch, match=r"price is decimal\(2\) in the lake and declared as decimal\(1\)"):
        load(settings, "prices")
    declare(settings, "shop_s3", "prices", columns={"price": "text", "valid_from": "text"})
    put("prices/b.csv", csv("B,b,free,later"))
    load(settings, "prices")
    found = rows(settings, "select price, valid_from from shop_s3.prices order by sku")
    assert found == [("1.25", "2026-01-01"), ("free", "later")]


def test_a_corrected_object_supersedes_its_rejected_rows(settings, put):
    put("prices/a.csv", csv("A,a,1.00,2026-01-01", "B,b,x,2026-01-01"))
    load(settings, "prices")
    put("prices/a.csv", csv("A,a,1.00,2026-01-01", "B,b,2.00,2026-01-01", "C,c,y,2026-01-01"))
    load(settings, "prices")
    assert outcomes(settings) == [(3, "superseded"), (4, "rejected")]


def test_a_row_that_is_rejected_once_more_is_so_again(settings, put):
    wrong, right = csv("A,a,x,2026-01-01"), csv("A,a,1.00,2026-01-01")
    for content, wanted in ((wrong, "rejected"), (right, "superseded"), (wrong, "rejected")):
        put("prices/a.csv", content)
        load(settings, "prices")
        assert outcomes(settings) == [(2, wanted)]


def test_what_another_release_can_read_is_replayed(settings, put):
    put("prices/a.csv", csv("A,a,1.00,2026-01-01") + "B,Käse,2.00,2026-01-01\n".encode("cp1252"))
    put("prices/b.csv", csv("C,c,x,2026-01-01"))
    load(settings, "prices")
    declare(settings, "shop_s3", "prices", encoding="cp1252")
    report = replay_table(settings, TableName("shop_s3", "prices"), checked=None)
    assert (report.replayed, report.superseded, report.rejected) == (1, 0, 1)
    assert rows(settings, "select sku, name from shop_s3.prices order by sku") == [("A", "a"), ("B", "Käse")]
    before = version(settings, "shop_s3", "prices")
    assert replay_table(settings, TableName("shop_s3", "prices"), checked=None).rejected == 1
    assert version(settings, "shop_s3", "prices") == before + 1


def test_a_replay_keeps_the_rows_of_a_deleted_object(settings, put, delete):
    put("prices/a.csv", csv("A,a,1.00,2026-01-01", "B,b,x,2026-01-01"))
    load(settings, "prices")
    delete("prices/a.csv")
    assert replay_table(settings, TableName("shop_s3", "prices"), checked=None).rejected == 1
    assert rows(settings, "select sku from shop_s3.prices") == [("A",)]


def test_a_load_of_nothing_but_rejects_says_so(settings, put, delete, monkeypatch):
    put("prices/a.csv", csv("A,a,1.00,2026-01-01"))
    fetch = S3Objects.fetch

    def vanishing(source, found, file):
        delete(found.key)
        return fetch(source, found, file)

    monkeypatch.setattr(S3Objects, "fetch", vanishing)
    report = load(settings, "prices")
    assert (report.rows, report.rejected) == (0, 1)


def test_a_comparison_finds_what_is_missing_and_what_is_too_much(settings, put, delete):
    put("prices/a.csv", csv("A,a,1.00,2026-01-01"))
    found = compare_load(settings, "shop_s3", "prices")
    assert (found.source_rows, found.lake_rows, found.missing, found.extra) == (1, 0, 1, 0)
    load(settings, "prices")
    assert compare_load(settings, "shop_s3", "prices").mismatches == 0
    put("prices/a.csv", csv("A,a,2.00,2026-01-01", "B,b,2.00,2026-01-01"))
    found = compare_load(settings, "shop_s3", "prices")
    assert (found.source_rows, found.lake_rows, found.missing, found.extra) == (2, 1, 2, 1)
    assert found.source_checksum != found.lake_checksum
    delete("prices/a.csv")  # and kept
    assert compare_load(settings, "shop_s3", "prices").mismatches == 0


def test_the_command_replays_loaded_tables(settings, put, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(settings.home))
    monkeypatch.setenv("LAKEHOUSE_LOADS__FILE", str(settings.loads.file))
    for name, value in settings.aws.model_dump().items():
        secret = name == "secret_access_key"
        monkeypatch.setenv(f"LAKEHOUSE_AWS__{name.upper()}", value.get_secret_value() if secret else value)
    put("prices/a.csv", csv("A,a,1.00,2026-01-01", "B,b,x,2026-01-01"))
    run = CliRunner().invoke
    assert run(app, ["load", "shop_s3", "prices", "--dry-run"]).exit_code == 0
    assert json.loads(run(app, ["load", "shop_s3", "prices", "--json"]).stdout)[0]["rejected"] == 1
    assert "prices/a.csv" in run(app, ["quarantine", "show", "shop_s3.prices"]).stdout
    again = run(app, ["quarantine", "replay", "shop_s3.*"])
    assert again.exit_code == 1
    put("prices/a.csv", csv("A,a,1.00,2026-01-01", "B,b,2.00,2026-01-01"))
    assert run(app, ["load", "shop_s3"]).exit_code == 0
    [state] = [s for s in json.loads(run(app, ["loads", "status", "--json"]).stdout) if s["table"] == "prices"]
    assert (state["rows"], state["rejected"]) == (2, 0)
    compared = run(app, ["loads", "compare", "shop_s3", "--json"])
    assert compared.exit_code == 0
    assert {c["missing"] + c["extra"] for c in json.loads(compared.stdout)} == {0}


def test_a_lake_on_s3_is_loaded_in_the_same_way(tmp_path):
    with s3_of_its_own(tmp_path):
        client, root = aws_client(AwsSettings(), "s3"), "s3://lake"
        for bucket in ("files", "lake"):
            client.create_bucket(Bucket=bucket)
        source = {"type": "s3_objects", "bucket": "files", "tables": {"clicks": CLICKS}}
        settings = load_settings(tmp_path, {"shop_s3": source}, lake=LakeSettings(root=root))
        for n in range(2):
            client.put_object(Bucket="files", Key="clicks/2026/01/01/00.jsonl.gz", Body=clicks(n))
            client.put_object(Bucket="files", Key=f"clicks/2026/01/02/{n:02}.jsonl.gz", Body=clicks(n + 10) + b"x")
            load(settings, "clicks")
        assert load(settings, "clicks").commits == 0
        assert rows(settings, "select id from shop_s3.clicks") == [(1,)]
        assert len(quarantined(settings)) == 2
        states = client.list_objects_v2(Bucket="lake", Prefix="silver/shop_s3/clicks/_load/")["Contents"]
        assert len(states) == 1
