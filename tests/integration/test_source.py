"""Registering, looking at and removing a source, on the real services."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from pydantic import SecretStr

from connectors.cdc.registration import register_source
from connectors.cdc.removal import remove_source
from connectors.cdc.source_status import check_source, source_status
from connectors.debezium.config import connector_name, publication_name, slot_name, topic_name
from connectors.debezium.connect import ConnectClient
from connectors.errors import ConfigurationError, ServiceUnavailable, SourceNotReady
from connectors.lake.contract_log import latest_contracts
from connectors.lake.layout import LakeLayout
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import drop_publication, drop_slot, published_tables, read_slot
from connectors.settings import ConnectSettings, KafkaSettings, PostgresSettings, Settings
from connectors.streams import kafka

WEIRD = TableName('Weird, S.c;h "x" y', 'Täble: a"b.c (d)*')


@pytest.fixture
def source(settings: Settings) -> Iterator[Settings]:
    """The settings of a database with a few tables; what was registered is removed at the end."""
    execute(
        settings,
        "CREATE TABLE orders (id int PRIMARY KEY, total numeric(10, 2))",
        "INSERT INTO orders SELECT n, n FROM generate_series(1, 100) n",
        f'CREATE SCHEMA "{WEIRD.schema.replace(chr(34), chr(34) * 2)}"',
        f'CREATE TABLE {WEIRD.quoted} ("Key, one" int PRIMARY KEY, "a.b" text, "from" text)',
        f"INSERT INTO {WEIRD.quoted} VALUES (1, 'x', 'y')",
        'CREATE TABLE "Items" (id int PRIMARY KEY)',
    )
    yield settings
    remove_source(settings, dry_run=False)


def execute(settings: Settings, *statements: str) -> None:
    with connect(settings.postgres) as connection:
        for statement in statements:
            connection.execute(statement)


def with_tables(settings: Settings, *patterns: str) -> Settings:
    return settings.model_copy(update={"cdc": settings.cdc.model_copy(update={"tables": patterns})})


def test_nothing_is_made_while_a_service_does_not_answer(source: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "_REQUEST_SECONDS", 0.5)
    monkeypatch.setattr(ConnectClient.__init__, "__kwdefaults__", {"patience": 0.5})
    nowhere = {
        "kafka": KafkaSettings(bootstrap_servers="127.0.0.1:1"),
        "connect": ConnectSettings(url="http://127.0.0.1:1"),
    }
    for service, away in nowhere.items():
        with pytest.raises(ServiceUnavailable, match=r"did not|does not answer"):
            register_source(source.model_copy(update={service: away}))
    assert remove_source(source) == []
    assert not Path(source.lake.root).exists()


def test_a_keyless_table_is_refused_before_anything_is_made(source: Settings) -> None:
    execute(source, "CREATE TABLE log (line text)", "INSERT INTO log VALUES ('a')")
    with pytest.raises(SourceNotReady, match=r"public\.log has no replica identity") as refusal:
        register_source(source)
    assert 'ALTER TABLE "public"."log" REPLICA IDENTITY FULL;' in str(refusal.value)
    execute(source, "UPDATE log SET line = 'b'", "DELETE FROM log")
    with connect(source.postgres) as connection:
        assert published_tables(connection, publication_name(source.cdc.source)) is None
    assert remove_source(source) == []


def test_a_cure_cures(source: Settings) -> None:
    execute(source, "CREATE TABLE log (line text)")
    (finding,) = [f for f in check_source(source) if f.subject == "public.log"]
    execute(source, finding.fix.partition("-- or: ")[2])
    assert [f for f in check_source(source) if f.severity == "blocker"] == []


def test_registering_twice_changes_nothing(source: Settings) -> None:
    first = register_source(source)
    second = register_source(source)
    assert (first.epoch, second.epoch) == (1, 1)
    assert first.tables == (WEIRD, TableName("public", "Items"), TableName("public", "orders"))
    assert second.changed == ()
    assert set(latest_contracts(LakeLayout.of(source))) == set(first.tables)


def test_the_snapshot_of_every_table_arrives(source: Settings) -> None:
    register_source(source)
    with ConnectClient(source.connect.url) as client:
        client.wait_for_snapshot(connector_name(source.cdc.source), timeout=60)
    consumer = Consumer({"bootstrap.servers": source.kafka.bootstrap_servers, "group.id": "unused"})
    ends = {}
    for table in (WEIRD, TableName("public", "orders")):
        partition = TopicPartition(topic_name(source.cdc.source, table), 0, 0)
        ends[table] = consumer.get_watermark_offsets(partition, timeout=10)
    consumer.assign([partition])
    message = consumer.poll(10)
    consumer.close()
    assert ends[TableName("public", "orders")][1] >= 100
    assert ends[WEIRD][1] >= 1
    assert ("lakehouse.epoch", b"1") in message.headers()


def test_removing_leaves_no_slot_and_no_publication(source: Settings) -> None:
    register_source(source)
    name = source.cdc.source
    expected = [
        f"connector {connector_name(name)} and its offset",
        f"replication slot {slot_name(name)}",
        f"publication {publication_name(name)}",
    ]
    assert remove_source(source) == expected
    assert source_status(source).slot is not None
    assert remove_source(source, dry_run=False) == expected
    with connect(source.postgres) as connection:
        assert read_slot(connection, slot_name(name)) is None
        assert published_tables(connection, publication_name(name)) is None
    assert source_status(source).connector is None
    assert remove_source(source, dry_run=False) == []


def test_registering_after_removing_begins_a_new_epoch(source: Settings) -> None:
    register_source(source)
    remove_source(source, dry_run=False)
    again = register_source(source)
    assert again.epoch == 2
    with ConnectClient(source.connect.url) as client:
        client.wait_for_snapshot(connector_name(source.cdc.source), timeout=60)


def test_a_connector_that_lost_its_offset_is_not_gone_on_with(source: Settings) -> None:
    register_source(source)
    name = connector_name(source.cdc.source)
    with ConnectClient(source.connect.url) as client:
        client.wait_for_snapshot(name, timeout=60)
        client.stop(name)
        client.reset_offset(name)
        client.delete(name)
    with pytest.raises(SourceNotReady, match="no longer knows how far"):
        register_source(source)
    assert source_status(source).connector is None
    remove_source(source, dry_run=False)
    assert register_source(source).epoch == 2


def test_keyless_table_with_rows_can_not_be_added_later(source: Settings) -> None:
    register_source(with_tables(source, "public.orders"))
    with connect(source.postgres) as connection:
        connection.execute("CREATE TABLE notes (note text)")
        connection.execute("ALTER TABLE notes REPLICA IDENTITY FULL")
        connection.execute("INSERT INTO notes VALUES ('there before')")
    with pytest.raises(SourceNotReady, match=r"public\.notes has no primary key"):
        register_source(with_tables(source, "public.orders", "public.notes"))
    fewer = register_source(with_tables(source, "public.orders"))
    assert fewer.tables == (TableName("public", "orders"),)
    assert fewer.changed == ()


def test_a_slot_the_lake_does_not_know_is_not_taken_over(source: Settings) -> None:
    slot = slot_name(source.cdc.source)
    execute(source, f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
    with pytest.raises(SourceNotReady, match=f"replication slot {slot} exists"):
        register_source(source)


def test_a_publication_of_somebody_else_is_left_alone(source: Settings) -> None:
    publication = publication_name(source.cdc.source)
    execute(source, f"CREATE PUBLICATION {publication} FOR TABLE orders")
    with pytest.raises(SourceNotReady, match="was not made by this library"):
        register_source(source)
    with connect(source.postgres) as connection:
        assert published_tables(connection, publication) == [TableName("public", "orders")]
        with pytest.raises(SourceNotReady, match="was not made by this library"):
            drop_publication(connection, publication)
    execute(source, f"DROP PUBLICATION {publication}")


def test_removing_without_a_right_leaves_capture_as_it_was(source: Settings) -> None:
    register_source(source)
    role = f"reader_{source.cdc.source}"
    execute(source, f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
    postgres = source.postgres.model_copy(update={"user": role, "password": SecretStr("secret")})
    refused = source.model_copy(update={"postgres": postgres})
    with pytest.raises(ConfigurationError, match="lacks a right"):
        remove_source(refused, dry_run=False)
    assert register_source(source).changed == ()
    name = connector_name(source.cdc.source)
    with ConnectClient(source.connect.url) as client:
        client.stop(name)
        with pytest.raises(ConfigurationError, match="lacks a right"):
            remove_source(refused, dry_run=False)
        status = client.status(name)
        assert status is not None
        assert status.state == "STOPPED"
    assert len(remove_source(source, dry_run=False)) == 3
    execute(source, f"DROP ROLE {role}")


def test_status_tells_when_capturing_stopped(source: Settings) -> None:
    assert source_status(source).connector is None
    register_source(source)
    with ConnectClient(source.connect.url) as client:
        client.stop(connector_name(source.cdc.source))
    stopped = source_status(source).connector
    assert stopped is not None
    assert not stopped.running
    assert register_source(source).changed == (f"connector {connector_name(source.cdc.source)} started",)


def test_a_slot_in_use_is_not_dropped_under_its_reader(source: Settings) -> None:
    register_source(source)
    with ConnectClient(source.connect.url) as client:
        client.wait_for_snapshot(connector_name(source.cdc.source), timeout=60)
    with connect(source.postgres) as connection, pytest.raises(ServiceUnavailable, match="still being read from"):
        drop_slot(connection, slot_name(source.cdc.source), patience=0.5)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"password": "hunter2-wrong"}, ConfigurationError, "refused the log-in"),  # pragma: allowlist secret
        ({"database": "no such database"}, ConfigurationError, "does not exist"),
        ({"port": 1}, ServiceUnavailable, "did not answer"),
    ],
    ids=["wrong password", "no such database", "nobody there"],
)
def test_no_message_holds_the_password(
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    change: dict[str, object],
    error: type[Exception],
    match: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    postgres = PostgresSettings.model_validate({**settings.postgres.model_dump(), **change})
    with pytest.raises(error, match=match) as raised:
        check_source(settings.model_copy(update={"postgres": postgres}))
    assert postgres.password is not None
    assert settings.postgres.password is not None
    for secret in (postgres.password, settings.postgres.password):
        assert secret.get_secret_value() not in f"{raised.value} {raised.value.__cause__} {caplog.text}"


def test_a_refused_configuration_says_why_without_the_password(
    source: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    register_source(source)
    name = connector_name(source.cdc.source)
    assert source.postgres.password is not None
    secret = source.postgres.password.get_secret_value()
    with ConnectClient(source.connect.url, patience=2) as client:
        config = client.config(name)
        assert config is not None
        with pytest.raises(ConfigurationError, match="refused PUT") as refused:
            client.configure(name, {**config, "database.port": f"x{secret}"})
    assert secret not in f"{refused.value} {caplog.text}"
