"""A lake in step with its source, and a look into it by SQL."""

import json
from contextlib import contextmanager

from connectors.cdc.contract_check import ContractCheck
from connectors.cdc.drain import drained_batch
from connectors.cdc.registration import register_source
from connectors.cdc.sync import sync_source
from connectors.debezium.config import connector_name, topic_name
from connectors.debezium.connect import ConnectClient
from connectors.lake.bronze import BronzeLog
from connectors.lake.layout import LakeLayout
from connectors.lake.storage import duckdb_connection, scratch_connection
from connectors.lake.views import pin_silver, register_views
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName, quote_identifier
from connectors.postgres.replication import emit_marker
from connectors.quality.reconcile import reconcile_source
from connectors.streams import open_stream


def drain(settings, source):
    """Brings everything that is committed now into silver; `source` is a connection."""
    sync_source(settings, through_lsn=emit_marker(source)).merged()


@contextmanager
def registered_source(settings, ddl):
    """A connection to a database with these tables, which are captured and drained for the first time."""
    with connect(settings.postgres) as source:
        source.autocommit = True
        source.execute(ddl)
        register_source(settings)
        drain(settings, source)
        yield source


def as_recorded(settings):
    """What a check says of a lake without a source, whose contracts are trusted."""
    return ContractCheck(drained_batch(settings))


def differences(settings, *tables):
    """The keys that differ between source and silver, by table."""
    return {str(c.table): c.keys for c in reconcile_source(settings, tables or ("*.*",)) if c.mismatches}


def with_cdc(settings, **changes):
    """The settings, with others of capturing."""
    return settings.model_copy(update={"cdc": settings.cdc.model_copy(update=changes)})


def received(settings, table):
    """The events of a table, by its name in the change log, in stream order; None for a tombstone."""
    layout = LakeLayout.of(settings)
    paths = [file.path for file in BronzeLog(layout).files().get(table, ())]
    if not paths:
        return []
    with scratch_connection(layout.root) as connection:
        messages = f"read_parquet({paths}, hive_partitioning = false)"
        rows = connection.execute(f"SELECT value FROM {messages} ORDER BY stream_partition, stream_offset").fetchall()
    events = [None if value is None else json.loads(value) for (value,) in rows]
    return [event.get("payload", event) if event else None for event in events]


def written(settings, table):
    """How many messages of a table are in the stream, committed or not."""
    with open_stream(settings) as stream:
        topic = topic_name(settings.cdc.source, TableName("public", table))
        return sum(n for partition, n in stream.written_positions().items() if partition.topic == topic)


def reconfigure(settings, **changes):
    """Changes settings of the connector that are not ours to choose, `__` in place of dots; it restarts."""
    name = connector_name(settings.cdc.source)
    with ConnectClient(settings.connect.url) as client:
        client.stop(name)
        client.configure(name, {**client.config(name), **{k.replace("__", "."): v for k, v in changes.items()}})
        client.resume(name)


@contextmanager
def open_lake(settings):
    """A connection to DuckDB: `silver.<table>` as readers see it, `stored.<table>` with deleted rows."""
    with duckdb_connection(settings.lake.root) as lake:
        lake.execute("SET TimeZone = 'UTC'; CREATE SCHEMA stored")
        snapshot = pin_silver(settings.lake.root, settings.cdc.source)
        register_views(lake, snapshot)
        for pinned in snapshot.tables:
            if pinned.files:
                rows = f"read_parquet({list(pinned.files)}, union_by_name = true, hive_partitioning = false)"
                lake.execute(f"CREATE VIEW stored.{quote_identifier(pinned.table.name)} AS SELECT * FROM {rows}")
        yield lake
