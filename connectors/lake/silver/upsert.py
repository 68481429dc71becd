"""Merges the changes of a table with a key: silver holds the newest row per key, deleted ones marked."""

import datetime as dt
from collections.abc import Mapping

import duckdb
import pyarrow as pa
from deltalake import DeltaTable, WriterProperties
from deltalake.table import TableMerger

from connectors.changes.columns import Column, Columns, names
from connectors.changes.floor import Floor
from connectors.changes.fold import fold_changes
from connectors.changes.markers import Marker
from connectors.changes.order import POSITION, Position, is_below, is_newer
from connectors.changes.toast import (
    drop_merged,
    has_kept,
    has_moves,
    keys_in_need,
    old_keys,
    open_moves,
    reject_unknown,
    resolve_moves,
)
from connectors.lake.commits import commit_progress, committing, with_progress
from connectors.lake.layout import CDC_COLUMNS
from connectors.lake.silver.statistics import has_exact_statistics
from connectors.lake.silver.stored import has_below, read_stored
from connectors.postgres.identifiers import quote_literal

_WRITER = WriterProperties(compression="ZSTD", compression_level=1)
_HAS_IMAGE = "_cdc_has_image"


def drop_purged(
    connection: duckdb.DuckDBPyConnection, silver: DeltaTable, *, uri: str, columns: Columns, purged: Position
) -> None:
    """Takes out of `changes` what comes late of keys whose deleted rows were purged: they are not in silver."""
    keys = f"SELECT {columns.keys} FROM changes WHERE {is_below('changes', purged)}"
    if connection.execute(f"{keys} LIMIT 1").fetchall():
        read_stored(connection, silver, uri=uri, columns=columns, keys=keys)
        there = f"SELECT ({columns.keys}) FROM stored"
        connection.execute(
            f"DELETE FROM changes WHERE {is_below('changes', purged)} AND ({columns.keys}) NOT IN ({there})"
        )


def fold_with_stored(
    connection: duckdb.DuckDBPyConnection,
    silver: DeltaTable,
    *,
    uri: str,
    columns: Columns,
    floor: Floor | None,
    read_until: Marker,
    later: str,
) -> None:
    """Folds `changes` into `folded`; changes whose left-out values nobody knows go to `rejected`, never to silver.

    `read_until` is the marker behind which the rows of silver had been read, if that was while they changed; `later` is
    the query of the pending changes that come after these.
    """
    if has_kept(connection, columns):
        open_moves(connection, columns, read_until=read_until, later=later)
        read_stored(connection, silver, uri=uri, columns=columns, keys=keys_in_need(columns))
        if floor is not None:
            connection.execute(f"DELETE FROM stored WHERE {is_below('stored', floor.position)}")
        drop_merged(connection, columns)
        if has_moves(connection):
            read_stored(
                connection,
                silver,
                uri=uri,
                columns=columns,
                keys=old_keys(columns),
                into="stored_values",
                values=columns.toastable,
            )
            resolve_moves(connection, columns)
        reject_unknown(connection, columns)
    fold_changes(connection, columns)


def merge_folded(
    connection: duckdb.DuckDBPyConnection,
    silver: DeltaTable,
    *,
    uri: str,
    schema: pa.Schema,
    columns: Columns,
    floor: Floor | None,
    progress: Mapping[str, int],
) -> None:
    """Merges `folded` into silver, deletes what lies below the floor, and advances progress, in one commit.

    Raises:
        CommitConflict: Another merge committed first; run this one again.
    """
    rows = connection.sql(_folded_sql(columns)).to_arrow_table()
    before = silver.version()
    # Looking for rows below the floor is cheap, merging with all of silver is not.
    if floor is not None and not has_below(connection, silver, uri=uri, floor=floor.position):
        floor = None
    if len(rows) > 0 or floor is not None:
        merger = _merger(silver, rows, columns=columns, progress=progress)
        if floor is not None:
            merger = merger.when_not_matched_by_source_update(
                _taken_away(floor), predicate=f"NOT t._cdc_deleted AND {is_below('t', floor.position)}"
            )
        with committing(silver):
            merger.execute()
    if silver.version() == before:
        # Nothing was newer: a merge without effect makes no commit.
        commit_progress(silver, schema, progress)


def _merger(silver: DeltaTable, rows: pa.Table, *, columns: Columns, progress: Mapping[str, int]) -> TableMerger:
    of_change = {name: f"s.{name}" for name in CDC_COLUMNS}
    # The key, too: equal ones can be written differently, 0 and -0.
    of_row = {c.quoted: _merged_value(c) for c in columns.all}
    inserted = {c.quoted: f"s.{c.quoted}" for c in columns.all}
    newer = is_newer("s", "t")
    merger = silver.merge(
        rows,
        " AND ".join(f"t.{c.quoted} = s.{c.quoted}" for c in columns.key),
        source_alias="s",
        target_alias="t",
        # Streaming reads the whole target; without it, files are pruned by the keys of the source, as their statistics
        # have them.
        streamed_exec=not all(map(has_exact_statistics, columns.key)),
        writer_properties=_WRITER,
        commit_properties=with_progress(progress),
    )
    return (
        merger.when_matched_update({**of_row, **of_change}, predicate=f"s.{_HAS_IMAGE} AND {newer}")
        .when_matched_update(of_change, predicate=f"NOT s.{_HAS_IMAGE} AND {newer}")
        .when_not_matched_insert({**inserted, **of_change})
    )


def _taken_away(floor: Floor) -> dict[str, str]:
    """What a row says that a floor took away; its values stay."""
    epoch, prev = floor.position[:2]
    values = (
        epoch,
        prev,
        floor.lsn,
        f"'{floor.op}'",
        _timestamp(floor.at),
        _timestamp(dt.datetime.now(dt.UTC)),
        "TRUE",
    )
    return {name: str(value) for name, value in zip(CDC_COLUMNS, values, strict=True)}


def _timestamp(moment: dt.datetime | None) -> str:
    text = "NULL" if moment is None else f"'{moment.astimezone(dt.UTC).isoformat()}'"
    return f"""arrow_cast({text}, 'Timestamp(Microsecond, Some("UTC"))')"""


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
