"""Rows that a snapshot reads while transactions are open, or after changes were lost; and what a heartbeat does."""

import time

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from deltalake import DeltaTable

from connectors.cdc.drain import drain_source
from connectors.cdc.registration import register_source
from connectors.debezium.config import connector_name, slot_name
from connectors.debezium.connect import ConnectClient
from connectors.lake.layout import LakeLayout
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import current_lsn, read_slot
from tests.lake import differences, drain, received, reconfigure
from tests.services import fresh_database, fresh_settings

DDL = """
CREATE TABLE signal (id text PRIMARY KEY, type text, data text);
CREATE TABLE incremental (id int PRIMARY KEY, note text);
CREATE TABLE blocking (id int PRIMARY KEY, note text);
INSERT INTO incremental SELECT i, 'before' FROM generate_series(1, 9) i;
INSERT INTO blocking SELECT i, 'before' FROM generate_series(1, 9) i;
"""


@pytest.fixture(scope="module")
def settings(stack_services, tmp_path_factory):
    """A source that takes snapshots when it is told to, by a table or by a topic."""
    root = tmp_path_factory.mktemp("snapshots") / "lake"
    with fresh_database(stack_services) as database, fresh_settings(stack_services, database, root) as fresh:
        settings = fresh.model_copy(update={"cdc": fresh.cdc.model_copy(update={"heartbeat_seconds": 1})})
        with connect(database) as source:
            source.execute(DDL)
        register_source(settings)
        with ConnectClient(settings.connect.url) as client:
            client.wait_for_snapshot(connector_name(settings.cdc.source), timeout=60)
        signals = f"{settings.cdc.source}-signals"
        admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap_servers})
        admin.create_topics([NewTopic(signals, 1)])[signals].result(30)
        reconfigure(
            settings,
            signal__enabled__channels="source,kafka",
            signal__data__collection="public.signal",
            signal__kafka__topic=signals,
            signal__kafka__bootstrap__servers=settings.kafka.bootstrap_servers,
            signal__consumer__auto__offset__reset="earliest",
            signal__poll__interval__ms="100",
            incremental__snapshot__chunk__size="2",
        )
        yield settings


@pytest.fixture
def source(settings):
    with connect(settings.postgres) as connection:
        yield connection


@pytest.fixture
def open_transaction(settings):
    with connect(settings.postgres) as connection:
        connection.autocommit = False
        yield connection


def snapshot_order(table, kind):
    return f'{{"data-collections": ["public.{table}"], "type": "{kind}"}}'


def drain_until_read_again(settings, table, last_id):
    """Drains until a second snapshot has read a row; commits nothing at the source."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        drain_source(settings)
        events = received(settings, f"public.{table}")
        if len([e for e in events if e and e["op"] == "r" and e["after"]["id"] == last_id]) > 1:
            return events
    raise AssertionError(f"row {last_id} of {table} was not read again")


def test_incremental_snapshot_mends_and_replaces_nothing_newer(settings, source, open_transaction):
    drain(settings, source)
    silver = LakeLayout.of(settings).silver(TableName("public", "incremental"))
    DeltaTable(silver).delete("id = 9")
    open_transaction.execute("UPDATE incremental SET note = 'open' WHERE id IN (1, 8)")
    order = snapshot_order("incremental", "incremental")
    source.execute("INSERT INTO signal VALUES ('i', 'execute-snapshot', %s)", [order])
    for n in range(20):
        source.execute("UPDATE incremental SET note = %s WHERE id = 1 + %s %% 6 AND id > 1", [f"{n}", n])
    events = drain_until_read_again(settings, "incremental", 9)
    open_transaction.commit()
    drain(settings, source)
    assert differences(settings, "public.incremental") == {}
    read_again = [e["source"] for e in events if e and e["source"]["snapshot"] == "incremental"]
    assert {s["lsn"] for s in read_again} == {None}


def test_blocking_snapshot_yields_to_transactions_that_were_open(settings, source, open_transaction):
    open_transaction.execute("UPDATE blocking SET note = 'open' WHERE id = 1")
    open_transaction.execute("DELETE FROM blocking WHERE id = 2")
    open_transaction.execute("INSERT INTO blocking VALUES (10, 'open')")
    source.execute("UPDATE blocking SET note = 'committed' WHERE id = 3")
    drain(settings, source)
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers})
    order = f'{{"type": "execute-snapshot", "data": {snapshot_order("blocking", "blocking")}}}'
    producer.produce(f"{settings.cdc.source}-signals", key=settings.cdc.source, value=order)
    assert producer.flush(30) == 0
    drain_until_read_again(settings, "blocking", 9)
    open_transaction.commit()
    drain(settings, source)
    assert differences(settings, "public.blocking") == {}
    events = [e for e in received(settings, "public.blocking") if e]
    [(update, at)] = [(e["source"], n) for n, e in enumerate(events) if e["op"] == "u" and e["after"]["id"] == 1]
    [_, (read, before)] = [(e["source"], n) for n, e in enumerate(events) if e["op"] == "r" and e["after"]["id"] == 1]
    # The row was read after the update was written, and before it was committed.
    assert before < at
    assert read["lsn"] > update["lsn"]


def test_idle_source_does_not_hold_the_log_that_its_neighbours_write(settings, source, stack_services):
    with stack_services.postgres.connect("postgres") as neighbour:
        neighbour.execute("SELECT pg_logical_emit_message(false, 'noise', repeat('x', 1000000), true)")
        written = current_lsn(neighbour)
    deadline = time.monotonic() + 60
    while read_slot(source, slot_name(settings.cdc.source)).confirmed_lsn < written:
        assert time.monotonic() < deadline
