"""A row change in PostgreSQL reaches silver through Debezium and Kafka, exactly once."""

import datetime as dt
import secrets
from decimal import Decimal

import duckdb
import pytest
from confluent_kafka import OFFSET_END, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from connectors.debezium.config import topic_name
from connectors.drain import drain_source, merge_table, pending_tables
from connectors.errors import PositionLost
from connectors.lake.contract_log import latest_contracts
from connectors.lake.layout import LakeLayout
from connectors.lake.storage import data_files, open_table
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import emit_marker
from connectors.source import register_source

DDL = """
CREATE TYPE mood AS ENUM ('fine', 'sad');
CREATE TABLE item (
    id int PRIMARY KEY, name text, big text, price numeric(12, 2), rate double precision, mood mood, tags text[],
    doc jsonb, at timestamp, at3 timestamp(3), atz timestamptz, day date, clock time, ok boolean, raw bytea, uid uuid
);
CREATE TABLE line (order_id int, line_no smallint, qty int, PRIMARY KEY (order_id, line_no));
CREATE TABLE log (at timestamptz, note text);
ALTER TABLE log REPLICA IDENTITY FULL;
INSERT INTO item (id, name) SELECT n, 'snapshot ' || n FROM generate_series(1, 20) n;
INSERT INTO log VALUES (NULL, 'twice'), (NULL, 'twice');
"""


@pytest.fixture
def source(settings):
    with connect(settings.postgres) as connection:
        connection.autocommit = True
        connection.execute(DDL)
        register_source(settings)
        yield connection


def drain(settings, connection):
    drain_source(settings, through_lsn=emit_marker(connection))
    return {str(t): merge_table(settings, t) for t in pending_tables(settings)}


def silver(settings, table, columns, where="NOT _cdc_deleted"):
    uri = LakeLayout(settings.lake.root, settings.cdc.source).silver(TableName.parse(table))
    files = [f["path"] for f in data_files(uri, open_table(uri))]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        query = f"SELECT {columns} FROM read_parquet({files!r}, union_by_name = true, hive_partitioning = false)"
        return sorted(connection.execute(f"{query} WHERE {where}").fetchall(), key=repr)


def pg(connection, query):
    return sorted(connection.execute(query).fetchall(), key=repr)


def test_snapshot_and_changes_reach_silver(settings, source):
    drain(settings, source)
    assert silver(settings, "public.item", "id, name") == pg(source, "SELECT id, name FROM item")
    source.execute(
        """INSERT INTO item VALUES (100, 'all', 'b', 12.50, 0.1, 'sad', '{a,"b c",NULL}', '{"k": [1, null]}',
        '2026-01-02 03:04:05.123456', '2026-01-02 03:04:05.123', '2026-01-02 03:04:05.123456+02', '2026-02-03',
        '23:59:59.5', true, '\\x00ff', '7f3c2a4e-1b2c-4d5e-8f90-a1b2c3d4e5f6')"""
    )
    source.execute("UPDATE item SET name = 'updated' WHERE id <= 5")
    source.execute("DELETE FROM item WHERE id > 15 AND id < 100")
    source.execute("INSERT INTO line VALUES (1, 1, 5), (1, 2, 6)")
    source.execute("UPDATE line SET qty = 7 WHERE line_no = 2")
    drain(settings, source)
    assert silver(settings, "public.item", "id, name") == pg(source, "SELECT id, name FROM item")
    assert silver(settings, "public.line", "order_id, line_no, qty") == [(1, 1, 5), (1, 2, 7)]
    columns = 'id, price, rate, mood, tags, doc, "at", at3, atz, day, clock, ok, raw, uid'
    [row] = silver(settings, "public.item", columns, where="id = 100")
    assert row == (
        100,
        Decimal("12.50"),
        0.1,
        "sad",
        '["a","b c",null]',
        '{"k": [1, null]}',
        dt.datetime(2026, 1, 2, 3, 4, 5, 123456, dt.UTC),
        dt.datetime(2026, 1, 2, 3, 4, 5, 123000, dt.UTC),
        dt.datetime(2026, 1, 2, 1, 4, 5, 123456, dt.UTC),
        dt.date(2026, 2, 3),
        "23:59:59.5",
        True,
        b"\x00\xff",
        "7f3c2a4e-1b2c-4d5e-8f90-a1b2c3d4e5f6",
    )


def test_unchanged_toast_key_change_and_reinsert(settings, source):
    drain(settings, source)
    big = [secrets.token_hex(8000) for _ in range(3)]
    for n, value in enumerate(big):
        source.execute("INSERT INTO item (id, name, big) VALUES (%s, 'toast', %s)", [200 + n, value])
    drain(settings, source)
    source.execute("UPDATE item SET name = 'kept' WHERE id = 200")
    source.execute("UPDATE item SET id = 301 WHERE id = 201")
    with source.transaction():
        source.execute("UPDATE item SET id = 302 WHERE id = 202")
        source.execute("UPDATE item SET id = 303, name = 'moved twice' WHERE id = 302")
    with source.transaction():
        source.execute("DELETE FROM item WHERE id = 1")
        source.execute("INSERT INTO item (id, name) VALUES (1, 'again')")
    with source.transaction(force_rollback=True):
        source.execute("UPDATE item SET name = 'rolled back'")
    reports = drain(settings, source)
    assert silver(settings, "public.item", "id, name, big") == pg(source, "SELECT id, name, big FROM item")
    assert reports["public.item"].rejected == 0


def test_table_without_key_is_a_multiset(settings, source):
    source.execute("INSERT INTO log VALUES (NULL, 'twice')")
    source.execute("UPDATE log SET note = 'once' WHERE ctid = (SELECT min(ctid) FROM log)")
    source.execute("DELETE FROM log WHERE ctid = (SELECT max(ctid) FROM log WHERE note = 'twice')")
    drain(settings, source)
    weights = silver(settings, "public.log", "note, _cdc_weight", where="TRUE")
    counts = {}
    for note, weight in weights:
        counts[note] = counts.get(note, 0) + weight
    assert counts == {"twice": 1, "once": 1}


def test_contracts_are_in_the_lake(settings, source):
    contracts = latest_contracts(LakeLayout(settings.lake.root, settings.cdc.source))
    assert contracts[TableName("public", "line")].key == ("order_id", "line_no")


def test_bronze_holds_every_message_once(settings, source):
    drain(settings, source)
    drain(settings, source)
    layout = LakeLayout(settings.lake.root, settings.cdc.source)
    files = [f["path"] for f in data_files(layout.bronze, open_table(layout.bronze))]
    with duckdb.connect() as connection:
        [(rows, distinct)] = connection.execute(
            "SELECT count(*), count(DISTINCT (topic_id, stream_partition, stream_offset))"
            f" FROM read_parquet({files!r}, hive_partitioning = false)"
        ).fetchall()
    assert rows == distinct > 20


def test_malformed_message_is_quarantined_and_the_rest_goes_on(settings, source):
    drain(settings, source)
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers})
    topic = topic_name(settings.cdc.source, TableName("public", "item"))
    producer.produce(topic, key=b'{"id":1}', value=b'{"op":"u","after":', headers={"lakehouse.epoch": b"1"})
    assert producer.flush(30) == 0
    source.execute("UPDATE item SET name = 'after the malformed one' WHERE id = 2")
    reports = drain(settings, source)
    assert (reports["public.item"].changes, reports["public.item"].rejected) == (2, 1)
    assert silver(settings, "public.item", "id, name") == pg(source, "SELECT id, name FROM item")
    quarantine = LakeLayout(settings.lake.root, settings.cdc.source).quarantine
    rejected = open_table(quarantine).to_pyarrow_table().to_pylist()
    assert [(r["source_table"], r["value"], r["reason"]) for r in rejected] == [
        ("public.item", b'{"op":"u","after":', "the value is not JSON")
    ]


def test_messages_lost_before_they_were_read_are_an_error(settings, source):
    drain(settings, source)
    topic = topic_name(settings.cdc.source, TableName("public", "item"))
    admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap_servers})
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers})
    producer.produce(topic, value=b"{}")
    assert producer.flush(30) == 0
    for future in admin.delete_records([TopicPartition(topic, 0, OFFSET_END)]).values():
        future.result(30)
    with pytest.raises(PositionLost, match=r"item\[0\] is to be read from"):
        drain_source(settings)
