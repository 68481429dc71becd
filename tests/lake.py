"""A lake in step with its source, and a look into it by SQL."""

from contextlib import contextmanager

from connectors.drain import drain_source, merge_table, pending_tables
from connectors.lake.snapshot import pin_silver, register_views
from connectors.lake.storage import duckdb_connection
from connectors.postgres.identifiers import quote_identifier
from connectors.postgres.replication import emit_marker


def drain(settings, source):
    """Brings everything that is committed now into silver; `source` is a connection. Returns a report per table."""
    drain_source(settings, through_lsn=emit_marker(source))
    return {str(table): merge_table(settings, table) for table in pending_tables(settings)}


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
