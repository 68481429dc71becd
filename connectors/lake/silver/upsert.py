"""Merges the changes of a table with a key: silver holds the newest row per key, deleted ones marked."""

import datetime as dt

import duckdb
import pyarrow as pa
from deltalake import DeltaTable, WriterProperties

from connectors.changes.columns import Column, Columns, names
from connectors.changes.fold import fold_changes, has_kept, open_moves, resolve_moves
from connectors.changes.order import POSITION, is_newer
from connectors.lake.commits import commit_progress, committing, with_progress
from connectors.lake.layout import CDC_COLUMNS
from connectors.lake.silver.stored import read_stored
from connectors.postgres.identifiers import quote_literal

BATCH = "v1/batch"
_WRITER = WriterProperties(compression="ZSTD", compression_level=1)
_HAS_IMAGE = "_cdc_has_image"
_ADDRESS = "topic_id, stream_partition, stream_offset"
_UNKNOWN_VALUE = "a value that the change leaves out is not known"


def fold_with_stored(connection: duckdb.DuckDBPyConnection, silver: DeltaTable, *, uri: str, columns: Columns) -> None:
    """Folds `changes` into `folded`; changes whose left-out values nobody knows go to `rejected`, never to silver."""
    leaves_out = has_kept(connection, columns)
    if leaves_out and open_moves(connection, columns):
        old_keys = names(f"old_{c.value}" for c in columns.key)
        read_stored(connection, silver, uri=uri, columns=columns, keys=f"SELECT {old_keys} FROM moves")
        resolve_moves(connection, columns)
        still_open = f"_cdc_op <> 'd' AND old_key IS NOT NULL AND ({columns.any_kept})"
        _take_out(connection, silver, uri=uri, columns=columns, table="changes", condition=still_open)
    fold_changes(connection, columns)
    if leaves_out:
        condition = f"has_image AND ({columns.any_kept})"
        _take_out(connection, silver, uri=uri, columns=columns, table="folded", condition=condition, needs_stored=True)


def merge_folded(
    connection: duckdb.DuckDBPyConnection, silver: DeltaTable, *, schema: pa.Schema, columns: Columns, up_to_batch: int
) -> None:
    """Merges `folded` into silver and advances its progress, in one commit.

    Raises:
        CommitConflict: Another merge committed first; run this one again.
    """
    progress = {BATCH: up_to_batch}
    rows = connection.sql(_folded_sql(columns)).to_arrow_table()
    before = silver.version()
    if len(rows) > 0:
        with committing(silver):
            _merge(silver, rows, columns=columns, progress=progress)
    if silver.version() == before:
        # Nothing was newer: a merge without effect makes no commit.
        commit_progress(silver, schema, progress)


def _merge(silver: DeltaTable, rows: pa.Table, *, columns: Columns, progress: dict[str, int]) -> None:
    of_change = {name: f"s.{name}" for name in CDC_COLUMNS}
    of_row = {c.quoted: _merged_value(c) for c in columns.all if not c.is_key}
    inserted = {c.quoted: f"s.{c.quoted}" for c in columns.all}
    newer = is_newer("s", "t")
    merger = silver.merge(
        rows,
        " AND ".join(f"t.{c.quoted} = s.{c.quoted}" for c in columns.key),
        source_alias="s",
        target_alias="t",
        # Streaming would read the whole target: without it, files are pruned by the keys of the source.
        streamed_exec=False,
        writer_properties=_WRITER,
        commit_properties=with_progress(progress),
    )
    (
        merger.when_matched_update({**of_row, **of_change}, predicate=f"s.{_HAS_IMAGE} AND {newer}")
        .when_matched_update(of_change, predicate=f"NOT s.{_HAS_IMAGE} AND {newer}")
        .when_not_matched_insert({**inserted, **of_change})
        .execute()
    )


def _merged_value(column: Column) -> str:
    value = f"s.{column.quoted}"
    return f"CASE WHEN s._cdc_{column.keep} THEN t.{column.quoted} ELSE {value} END" if column.toastable else value


def _folded_sql(columns: Columns) -> str:
    values = names(f"{c.value} AS {c.quoted}" for c in columns.all)
    keeps = "".join(f"coalesce({c.keep}, FALSE) AS _cdc_{c.keep}, " for c in columns.toastable)
    merged_at = quote_literal(dt.datetime.now(dt.UTC).isoformat())
    return f"""
SELECT {values}, {keeps} has_image AS {_HAS_IMAGE}, {names(POSITION)}, _cdc_committed_at,
    {merged_at}::TIMESTAMPTZ AS _cdc_merged_at, _cdc_op = 'd' AS _cdc_deleted
FROM folded
"""


def _take_out(
    connection: duckdb.DuckDBPyConnection,
    silver: DeltaTable,
    *,
    uri: str,
    columns: Columns,
    table: str,
    condition: str,
    needs_stored: bool = False,
) -> None:
    """Moves rows of `table` to `rejected`, unless silver is past them already (events that were sent twice).

    With `needs_stored` only rows go that have no live row in silver to take the values from.
    """
    read_stored(
        connection, silver, uri=uri, columns=columns, keys=f"SELECT {columns.keys} FROM {table} WHERE {condition}"
    )
    same_key = " AND ".join(f"stored.{c.value} = {table}.{c.value}" for c in columns.key)
    fresh = f"SELECT 1 FROM stored WHERE {same_key} AND NOT {is_newer(table, 'stored')}"
    usable = f"SELECT 1 FROM stored WHERE {same_key} AND NOT _cdc_deleted" if needs_stored else "SELECT 1 WHERE FALSE"
    unknown = f"({condition}) AND NOT EXISTS ({usable})"
    connection.execute(f"""
INSERT INTO rejected
SELECT {_ADDRESS}, {quote_literal(_UNKNOWN_VALUE)} FROM {table} WHERE {unknown} AND NOT EXISTS ({fresh})
""")
    connection.execute(f"DELETE FROM {table} WHERE {unknown}")
