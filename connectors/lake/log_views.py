"""Views of the change log and the quarantine, for queries."""

import duckdb

from connectors.lake.bronze import SCHEMA
from connectors.lake.layout import LakeLayout
from connectors.lake.quarantine import open_quarantine
from connectors.lake.storage import data_files, open_table
from connectors.postgres.identifiers import quote_literal

_TEXTS = ("key", "value")


def register_log_views(connection: duckdb.DuckDBPyConnection, layout: LakeLayout) -> None:
    """Creates the views `bronze.changes` and `quarantine.messages`, of the versions there are now.

    Keys and values are text where they are UTF-8, else NULL; the bytes are in `key_bytes` and `value_bytes`.
    """
    connection.execute("CREATE SCHEMA IF NOT EXISTS bronze; CREATE SCHEMA IF NOT EXISTS quarantine")
    bronze = open_table(layout.bronze)
    files = [] if bronze is None else data_files(layout.bronze, bronze)
    if files:
        # Partition columns are in the log, not in the files.
        paths = ", ".join(quote_literal(file["path"]) for file in files)
        columns = ", ".join(f.name for f in SCHEMA if f.name not in ("source_table", "ingest_date"))
        places = ", ".join(
            f"({quote_literal(file['path'])}, {quote_literal(file['partition.source_table'])}, "
            f"DATE '{file['partition.ingest_date']}')"
            for file in files
        )
        rows = f"""SELECT source_table, ingest_date, {columns}
            FROM read_parquet([{paths}], hive_partitioning = false, filename = true)
            JOIN (VALUES {places}) AS places (filename, source_table, ingest_date) USING (filename)"""
    else:
        connection.register("no_changes", SCHEMA.empty_table())
        rows = "FROM no_changes"
    connection.execute(f"CREATE OR REPLACE VIEW bronze.changes AS {_readable(f'({rows})')}")
    open_quarantine(connection, layout)
    connection.execute(f"CREATE OR REPLACE VIEW quarantine.messages AS {_readable('quarantined')}")


def _readable(rows: str) -> str:
    texts = ", ".join(f"try(decode({name})) AS {name}" for name in _TEXTS)
    raw = ", ".join(f"{name} AS {name}_bytes" for name in _TEXTS)
    return f"SELECT * REPLACE ({texts}), {raw} FROM {rows}"
