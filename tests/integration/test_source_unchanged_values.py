"""How the real Debezium writes values that an update did not change."""

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from confluent_kafka import Consumer, TopicPartition

from connectors.debezium.config import connector_name, topic_name
from connectors.debezium.connect import ConnectClient
from connectors.debezium.placeholder import recognisable, written
from connectors.lake.contract_log import current_life, latest_contracts
from connectors.lake.layout import LakeLayout
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings
from connectors.source import register_source, remove_source

LARGE = {
    "text": "repeat('x', 9000)",
    "varchar": "repeat('x', 9000)",
    "bpchar": "repeat('x', 9000)",
    "numeric": "repeat('1', 9000)::numeric",
    "bytea": "convert_to(repeat('x', 9000), 'UTF8')",
    "json": "json_build_array(repeat('x', 9000))",
    "jsonb": "jsonb_build_array(repeat('x', 9000))",
    "_text": "array_fill('x'::text, ARRAY[3000])",
    "_varchar": "array_fill('x'::varchar, ARRAY[3000])",
    "_bpchar": "array_fill('x'::bpchar, ARRAY[3000])",
    "_int4": "array_fill(1, ARRAY[3000])",
    "_int8": "array_fill(1::int8, ARRAY[3000])",
    "_uuid": "array_fill(gen_random_uuid(), ARRAY[3000])",
    "_bool": "array_fill(true, ARRAY[3000])",
    "_int2": "array_fill(1::int2, ARRAY[3000])",
    "_float8": "array_fill(1::float8, ARRAY[3000])",
}
TABLES = (TableName("public", "by_key"), TableName("public", "by_row"))


@pytest.fixture
def source(settings: Settings) -> Iterator[Settings]:
    """Two tables whose every value is out of line; one sends the old row with an update, one does not."""
    unknowable = ("_bool", "_int2", "_float8")
    with connect(settings.postgres) as connection:
        for table in TABLES:
            types = [name for name in LARGE if table.name == "by_row" or name not in unknowable]
            columns = ", ".join(f'"{name}" {name}' for name in types)
            connection.execute(f"CREATE TABLE {table.quoted} (id int PRIMARY KEY, changed int, {columns})")
            external = ", ".join(f'ALTER "{name}" SET STORAGE EXTERNAL' for name in types)
            connection.execute(f"ALTER TABLE {table.quoted} {external}")
            connection.execute(f"INSERT INTO {table.quoted} SELECT 1, 1, {', '.join(LARGE[name] for name in types)}")
        connection.execute("ALTER TABLE by_row REPLICA IDENTITY FULL")
    yield settings
    remove_source(settings, dry_run=False)


def updated_row(settings: Settings, table: TableName) -> dict[str, Any]:
    """The row after the first update, each column as DuckDB reads it from the message."""
    consumer = Consumer(
        {"bootstrap.servers": settings.kafka.bootstrap_servers, "group.id": "unused", "enable.auto.commit": False}
    )
    consumer.assign([TopicPartition(topic_name(settings.cdc.source, table), 0, 0)])
    try:
        while (message := consumer.poll(30)) is not None:
            body = message.value()
            if json.loads(body)["op"] == "u":
                shape = json.dumps({"after": dict.fromkeys(json.loads(body)["after"], "VARCHAR")})
                found = duckdb.execute("SELECT from_json(?, ?)", [body.decode(), shape]).fetchall()
                return dict(found[0][0]["after"])
    finally:
        consumer.close()
    raise AssertionError(f"no update of {table} arrived")


def test_unchanged_values_are_written_as_expected(source: Settings) -> None:
    register_source(source)
    with ConnectClient(source.connect.url) as client:
        client.wait_for_snapshot(connector_name(source.cdc.source), timeout=60)
    with connect(source.postgres) as connection:
        connection.execute("UPDATE by_key SET changed = 2; UPDATE by_row SET changed = 2")
    layout = LakeLayout(source.lake.root, source.cdc.source)
    life, contracts = current_life(layout), latest_contracts(layout)
    assert life is not None
    by_key, by_row = (updated_row(source, table) for table in TABLES)
    large = [column for column in contracts[TABLES[0]].columns if column.toastable]
    assert all(recognisable(column) for column in large)
    assert {c.name: by_key[c.name] for c in large} == {c.name: written(life.placeholder, c) for c in large}
    assert all(life.placeholder not in value for value in by_row.values())
    assert [column for column in LARGE if len(by_row[column]) < 6000] == []
