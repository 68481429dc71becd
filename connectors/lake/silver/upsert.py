"""Merges the changes of a table with a primary key: silver holds the newest row per key, also soft-deleted ones."""

import datetime as dt
from collections.abc import Mapping

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.table import TableMerger

from connectors.changes.cdc_columns import CDC_COLUMNS, POSITION
from connectors.changes.columns import Column, Columns, names
from connectors.changes.fold import fold_changes
from connectors.changes.low_watermark import LowWatermark
from connectors.changes.markers import NO_MARKER
from connectors.changes.order import is_below, is_newer
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
from connectors.changes.workspace import MergeWorkspace
from connectors.lake.commits import WRITER, commit_progress, committing, with_progress
from connectors.lake.engines.protocol import MergeEngine
from connectors.lake.silver.progress import SilverProgress
from connectors.lake.silver.statistics import has_exact_statistics
from connectors.lake.silver.stored import has_below
from connectors.lake.silver.table import SilverTable
from connectors.postgres.identifiers import quote_literal

_HAS_IMAGE = "_cdc_has_image"


def drop_purged(work: MergeWorkspace, silver: SilverTable, *, engine: MergeEngine) -> None:
    """Drops late changes of keys whose soft-deleted rows were purged: silver does not have them any more."""
    keys, purged = work.columns.keys, is_below("changes", silver.progress.purged)
    if work.count("changes", purged) > 0:
        engine.read_stored(work, silver, keys=f"SELECT {keys} FROM changes WHERE {purged}")
        work.delete("changes", f"{purged} AND ({keys}) NOT IN (SELECT ({keys}) FROM stored)")


def fold_with_stored(
    work: MergeWorkspace,
    silver: SilverTable,
    *,
    engine: MergeEngine,
    low_watermark: LowWatermark | None,
    later: str,
) -> None:
    """Folds `changes` into `folded`; changes with a TOAST value that nobody knows go to `rejected`, never to silver.

    Args:
        work: The work tables.
        silver: The table.
        engine: What reads silver.
        low_watermark: A new low watermark.
        later: Query of the pending changes behind these.
    """
    columns, baseline = work.columns, silver.baseline
    if has_kept(work):
        complete_at = baseline.complete_at if baseline.is_resync else NO_MARKER
        open_moves(work, complete_at=complete_at, later=later)
        engine.read_stored(work, silver, keys=keys_in_need(columns))
        if low_watermark is not None:
            work.delete("stored", is_below("stored", low_watermark.position))
        drop_merged(work)
        if has_moves(work):
            engine.read_stored(work, silver, keys=old_keys(columns), into="stored_values", values=columns.toastable)
            resolve_moves(work)
        reject_unknown(work)
    fold_changes(work)


def merge_folded(
    work: MergeWorkspace, silver: SilverTable, *, low_watermark: LowWatermark | None, progress: SilverProgress
) -> None:
    """Merges `folded` into silver, deletes the rows below the low watermark, and advances progress, in one commit.

    Raises:
        CommitConflict: Another merge committed first; run this one again.
    """
    rows = work.connection.sql(_folded_sql(work.columns)).to_arrow_table()
    table, transactions = silver.table, progress.as_transactions()
    before = table.version()
    # Looking for rows below the low watermark is cheap, merging with all of silver is not.
    if low_watermark is not None and not has_below(work, silver, low_watermark=low_watermark.position):
        low_watermark = None
    if len(rows) > 0 or low_watermark is not None:
        merger = _merger(table, rows, columns=work.columns, progress=transactions)
        if low_watermark is not None:
            below = is_below("t", low_watermark.position)
            merger = merger.when_not_matched_by_source_update(
                _taken_away(low_watermark), predicate=f"NOT t._cdc_deleted AND {below}"
            )
        with committing(table):
            merger.execute()
    if table.version() == before:
        # Nothing was newer: a merge without effect makes no commit.
        commit_progress(table, silver.schema, transactions)


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
        writer_properties=WRITER,
        commit_properties=with_progress(progress),
    )
    return (
        merger.when_matched_update({**of_row, **of_change}, predicate=f"s.{_HAS_IMAGE} AND {newer}")
        .when_matched_update(of_change, predicate=f"NOT s.{_HAS_IMAGE} AND {newer}")
        .when_not_matched_insert({**inserted, **of_change})
    )


def _taken_away(low_watermark: LowWatermark) -> dict[str, str]:
    """What a row says that a low watermark took away; its values stay."""
    epoch, prev = low_watermark.position[:2]
    values = (
        epoch,
        prev,
        low_watermark.lsn,
        f"'{low_watermark.op}'",
        _timestamp(low_watermark.at),
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
