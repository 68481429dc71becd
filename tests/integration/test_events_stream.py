"""Events in other shapes and at other places than usual: with schema, sent twice, in several stream partitions."""

from collections import Counter, defaultdict

import httpx
import pytest
from confluent_kafka.admin import AdminClient, NewPartitions
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from connectors.cdc.registration import register_source
from connectors.debezium.config import connector_name, slot_name, topic_name
from connectors.debezium.connect import ConnectClient
from connectors.lake.bronze import BronzeLog
from connectors.lake.layout import LakeLayout
from connectors.lake.storage import open_table
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import drop_slot, read_slot
from tests.lake import differences, drain, open_lake, received, reconfigure
from tests.services import fresh_database, fresh_settings

DDL = """
CREATE TABLE unknown (id int PRIMARY KEY, note text, big text);
CREATE TABLE with_schema (id uuid PRIMARY KEY, total numeric(12, 2), at timestamptz, tags text[], raw bytea);
CREATE TABLE sent_twice (id int PRIMARY KEY, note text);
CREATE TABLE copied (note text);
ALTER TABLE copied REPLICA IDENTITY FULL;
CREATE TABLE spread (id int PRIMARY KEY, note text, big text);
"""
UNKNOWN = """
INSERT INTO unknown SELECT i, 'before', (SELECT string_agg(md5((n * i)::text), '') FROM generate_series(1, 400) n)
FROM generate_series(1, 4) i
"""


@pytest.fixture(scope="module")
def settings(stack_services, tmp_path_factory):
    """A source whose connector somebody else has set up in his own way; it never reads what is there already."""
    root = tmp_path_factory.mktemp("stream") / "lake"
    with fresh_database(stack_services) as database, fresh_settings(stack_services, database, root) as settings:
        name, slot = connector_name(settings.cdc.source), slot_name(settings.cdc.source)
        with connect(database) as source, ConnectClient(settings.connect.url) as client:
            source.execute(DDL)
            register_source(settings)
            client.wait_for_snapshot(name, timeout=60)
            client.stop(name)
            client.reset_offset(name)
            drop_slot(source, slot)
            source.execute(UNKNOWN)
            reconfigure(
                settings,
                snapshot__mode="no_data",
                value__converter__schemas__enable="true",
                provide__transaction__metadata="true",
                topic__creation__default__partitions="3",
                # The slot keeps everything, so that it can be sent again; polls end within transactions.
                lsn__flush__mode="manual",
                max__batch__size="3",
                max__queue__size="10",
            )
            client.wait_until(name, lambda _: captures(source, slot), aim="capturing", timeout=60)
        yield settings


def captures(source, slot):
    """A slot that is being made is there already."""
    state = read_slot(source, slot)
    return state is not None and state.confirmed_lsn is not None


@pytest.fixture
def source(settings):
    with connect(settings.postgres) as connection:
        yield connection


def test_delete_of_an_unknown_key_makes_a_deleted_row(settings, source):
    source.execute("DELETE FROM unknown WHERE id = 1")
    source.execute("UPDATE unknown SET note = 'after', big = 'small' WHERE id = 2")
    drain(settings, source)
    with open_lake(settings) as lake:
        rows = lake.execute("SELECT id, note, _cdc_deleted FROM stored.unknown WHERE id < 3 ORDER BY id").fetchall()
    assert rows == [(1, None, True), (2, "after", False)]


def test_left_out_value_of_an_unknown_row_is_quarantined(settings, source):
    source.execute("UPDATE unknown SET note = 'after' WHERE id = 4")
    drain(settings, source)
    layout = LakeLayout.of(settings)
    reasons = {row["reason"] for row in open_table(layout.quarantine).to_pyarrow_table().to_pylist()}
    assert reasons == {"an unchanged TOAST value is unknown"}
    with open_lake(settings) as lake:
        assert lake.execute("SELECT count(*) FROM silver.unknown WHERE id = 4").fetchone() == (0,)


def test_message_with_schema_is_read_as_its_payload(settings, source):
    source.execute(
        "INSERT INTO with_schema SELECT md5(i::text)::uuid, i / 7.0, timestamptz '2026-01-01' + i * interval '1 day', "
        r"ARRAY['a', NULL], '\x00ff' FROM generate_series(1, 5) i"
    )
    source.execute("UPDATE with_schema SET total = NULL WHERE total < 0.2")
    source.execute("DELETE FROM with_schema WHERE total > 0.7")
    drain(settings, source)
    assert differences(settings, "public.with_schema") == {}
    layout = LakeLayout.of(settings)
    values = open_table(layout.bronze).to_pyarrow_table(columns=["value"])["value"].to_pylist()
    assert all(value.startswith(b'{"schema"') for value in values if value)


def test_transaction_topic_is_not_drained(settings, source):
    source.execute("INSERT INTO spread (id) VALUES (1000)")
    drain(settings, source)
    topics = AdminClient({"bootstrap.servers": settings.kafka.bootstrap_servers}).list_topics(timeout=30).topics
    assert f"{settings.cdc.source}.transaction" in topics
    known = BronzeLog(LakeLayout.of(settings)).files()
    assert {name for name in known if not name.startswith("public.")} == {"message"}


def test_events_sent_again_keep_their_position_and_count_once(settings, source):
    drain(settings, source)
    with ConnectClient(settings.connect.url) as client:
        name = connector_name(settings.cdc.source)
        client.stop(name)
        before = client.offset(name)
        client.resume(name)
        change_often(source)
        drain(settings, source)
        send_again(settings, client, before)
        drain(settings, source)
        inserts = [e["source"] for e in received(settings, "public.sent_twice") if e and e["op"] == "c"]
        middle = sorted(inserts, key=lambda s: s["lsn"])[len(inserts) // 2]
        # This time not from the beginning of the transaction.
        send_again(settings, client, offset_of(middle))
        drain(settings, source)
    assert differences(settings, "public.sent_twice") == {}
    sequences = defaultdict(list)
    for event in filter(None, received(settings, "public.sent_twice")):
        sequences[event["source"]["lsn"], event["op"]].append(event["source"]["sequence"])
    assert all(len(set(found)) == 1 for found in sequences.values())
    assert {key: len(found) for key, found in sequences.items()} == {
        (lsn, op): 2 if lsn <= middle["lsn"] else 3 for lsn, op in sequences
    }


def change_often(source):
    with source.transaction():
        source.execute("INSERT INTO sent_twice SELECT i, 'inserted' FROM generate_series(1, 9) i")
        source.execute("UPDATE sent_twice SET note = 'updated' WHERE id < 4")
    source.execute("UPDATE sent_twice SET id = 10 WHERE id = 9")
    source.execute("DELETE FROM sent_twice WHERE id = 5")


def send_again(settings, client, offset):
    """Puts the connector back to where it was."""
    name = connector_name(settings.cdc.source)
    client.stop(name)
    body = {"offsets": [{"partition": {"server": settings.cdc.source}, "offset": offset}]}
    # While Connect assigns the tasks of other connectors anew, it refuses.
    refused = retry_if_exception_type(httpx.HTTPStatusError)
    for attempt in Retrying(retry=refused, stop=stop_after_delay(30), wait=wait_fixed(0.1)):
        with attempt:
            httpx.patch(f"{settings.connect.url}/connectors/{name}/offsets", json=body, timeout=60).raise_for_status()
    client.resume(name)


def offset_of(source, *, rows=1):
    """The connector's offset right behind so many inserted rows of one LSN."""
    after = int(source["sequence"].split('"')[1])
    behind = {"lsn_commit": after, "lsn": source["lsn"], "lsn_proc": source["lsn"], "messageType": "INSERT"}
    return {**behind, "lsn_events_processed": rows, "txId": source["txId"], "ts_usec": source["ts_us"]}


def copy(source, notes):
    with source.cursor() as cursor, cursor.copy("COPY copied FROM STDIN") as rows:
        for note in notes:
            rows.write_row([note])


def test_connector_goes_on_within_one_copy(settings, source):
    copy(source, "abc")
    drain(settings, source)
    first = received(settings, "public.copied")
    assert len({event["source"]["lsn"] for event in first}) == 1
    with ConnectClient(settings.connect.url) as client:
        for rows in (1, 2, 3):
            before = received(settings, "public.copied")
            send_again(settings, client, offset_of(first[0]["source"], rows=rows))
            drain(settings, source)
            again = Counter(e["after"]["note"] for e in received(settings, "public.copied"))
            assert again - Counter(e["after"]["note"] for e in before) == Counter("abc"[rows:])


def test_changes_in_several_and_ever_more_stream_partitions(settings, source):
    topic = topic_name(settings.cdc.source, TableName("public", "spread"))
    for partitions in (3, 5):
        if partitions > 3:
            admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap_servers})
            admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(30)
            with ConnectClient(settings.connect.url) as client:
                # It learns of new partitions after minutes, or at its start.
                client.restart(connector_name(settings.cdc.source))
        source.execute("DELETE FROM spread")
        source.execute("INSERT INTO spread SELECT i, 'new', repeat(md5(i::text), 300) FROM generate_series(1, 20) i")
        for n in range(6):
            source.execute("UPDATE spread SET note = %s WHERE id %% 3 = %s", [f"round {n}", n % 3])
            source.execute("UPDATE spread SET id = id + 100 WHERE id %% 7 = %s", [n])
        drain(settings, source)
        bronze = BronzeLog(LakeLayout.of(settings))
        assert bronze.partitions(topic) == partitions
        assert differences(settings, "public.spread") == {}
