"""Rows that silver holds already."""

from collections.abc import Sequence

import duckdb
from deltalake import DeltaTable

from connectors.changes.columns import Column, Columns, names
from connectors.changes.order import POSITION, Position, is_below
from connectors.lake.storage import data_files
from connectors.lake.views import duckdb_columns, typed_rows

_TYPES = {"_cdc_epoch": "BIGINT", "_cdc_prev_commit_lsn": "BIGINT", "_cdc_lsn": "BIGINT", "_cdc_op": "VARCHAR"}


def read_stored(
    connection: duckdb.DuckDBPyConnection,
    silver: DeltaTable,
    *,
    uri: str,
    columns: Columns,
    keys: str,
    into: str = "stored",
    values: Sequence[Column] = (),
) -> None:
    """Makes a table of silver's rows of some keys: key, position, whether deleted; at the version of `silver`.

    Args:
        connection: Where the work tables are.
        silver: The table, as it will be committed to.
        uri: Its address.
        columns: Its columns.
        keys: Query that selects the wanted keys.
        into: Name of the table to make.
        values: Columns to read besides, named like the work tables' own.
    """
    wanted = (*columns.key, *values)
    rows = stored_rows(silver, uri)
    if rows is not None:
        selected = names((*(f"{c.quoted} AS {c.value}" for c in wanted), *POSITION, "_cdc_deleted"))
        condition = f"({names(c.quoted for c in columns.key)}) IN ({keys})"
    else:
        rows, condition = "(SELECT 1)", "FALSE"
        of_columns = (f"(SELECT {c.value} FROM changes LIMIT 0) AS {c.value}" for c in wanted)
        of_cdc = (f"NULL::{kind} AS {name}" for name, kind in _TYPES.items())
        selected = names((*of_columns, *of_cdc, "NULL::BOOLEAN AS _cdc_deleted"))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {into} AS SELECT {selected} FROM {rows} WHERE {condition}")


def stored_rows(silver: DeltaTable, uri: str) -> str | None:
    """Returns the relation of all of silver's rows, at the version of `silver`; None if it has no files."""
    files = [file["path"] for file in data_files(uri, silver)]
    return f"({typed_rows(duckdb_columns(silver), files)})" if files else None


def has_below(connection: duckdb.DuckDBPyConnection, silver: DeltaTable, *, uri: str, floor: Position) -> bool:
    """Whether silver holds rows, not deleted ones, below a floor."""
    rows = stored_rows(silver, uri)
    if rows is None:
        return False
    below = f"SELECT 1 FROM {rows} AS t WHERE NOT _cdc_deleted AND {is_below('t', floor)} LIMIT 1"
    return bool(connection.execute(below).fetchall())
