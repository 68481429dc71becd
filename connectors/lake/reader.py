"""A read-only DuckDB connection to the whole lake."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from connectors.errors import ConfigurationError
from connectors.lake.fresh import pin_fresh
from connectors.lake.gold import gold_file
from connectors.lake.layout import LakeLayout, view_name
from connectors.lake.load_views import pin_loads, register_loads
from connectors.lake.log_views import register_log_views
from connectors.lake.storage import duckdb_connection
from connectors.lake.views import PENDING_SCHEMA, register_views
from connectors.postgres.identifiers import TableName, quote_identifier, quote_literal
from connectors.settings import Settings

_HINT = "run one SELECT; `lakehouse query 'show tables'` lists what there is to read"
_SHOW_TABLES = re.compile(r"\s*show\s+(all\s+)?tables\s*;?\s*", re.IGNORECASE)
_TABLES = f"""SELECT table_schema AS schema, table_name AS name FROM information_schema.tables
WHERE table_schema NOT IN ('main', 'information_schema', '{PENDING_SCHEMA}') AND table_type <> 'LOCAL TEMPORARY'
ORDER BY ALL"""


@contextmanager
def open_reader(settings: Settings, *, sql: str | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Opens DuckDB with views of silver, loads, bronze and quarantine, pinned now, and gold's schemas if it was built.

    The views of silver show what is in bronze, merged or pending. A dbt run that goes on meanwhile is neither seen nor
    disturbed.

    Args:
        settings: The source and the lake.
        sql: The only statement that will be run: the pending changes of tables that it does not name are left out.
    """
    text = None if sql is None else sql.casefold()

    def is_named(table: TableName) -> bool:
        name = view_name(table)
        return text is None or name.casefold() in text or '"' in name

    with duckdb_connection(settings.lake.root) as connection:
        register_views(connection, pin_fresh(settings, folded=is_named))
        register_loads(connection, pin_loads(settings.lake.root))
        register_log_views(connection, LakeLayout.of(settings))
        gold = gold_file(settings)
        if gold.exists():
            connection.execute(f"ATTACH {quote_literal(str(gold))} AS gold (READ_ONLY)")
            found = connection.execute("SELECT schema_name FROM duckdb_schemas() WHERE database_name = 'gold'")
            path = ",".join(["memory.main", *(f"gold.{quote_identifier(schema)}" for (schema,) in found.fetchall())])
            connection.execute(f"SET search_path = {quote_literal(path)}")
        yield connection


@contextmanager
def query_lake(settings: Settings, sql: str) -> Iterator[duckdb.DuckDBPyRelation]:
    """Runs one SELECT, or `show tables`; its rows can be fetched within the `with` block.

    Raises:
        ConfigurationError: DuckDB can't run the statement, or it would write.
    """
    with open_reader(settings, sql=sql) as connection:
        try:
            # The table function takes a single SELECT; within another one, that can't hold a clause which writes.
            yield connection.sql("FROM query(?)", params=[_TABLES if _SHOW_TABLES.fullmatch(sql) else sql])
        except duckdb.DatabaseError as error:
            message, *_ = str(error).split("\n\nLINE 1:")  # of our own statement, not of the user's
            raise ConfigurationError(message, hint=_HINT) from error
