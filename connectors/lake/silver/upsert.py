"""Merges the changes of a table with a primary key: silver holds the newest row per key, also soft-deleted ones."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.table import TableMerger

from connectors.changes.cdc_columns import CDC_COLUMNS, POSITION
from connectors.changes.columns import Column, Columns, names
from connectors.changes.fold import fold_changes
from connectors.changes.low_watermark import LowWatermark
from connectors.changes.markers import NO_MARKER
from connectors.changes.order import Position, is_below, is_newer
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
from connectors.changes.workspace import MergeWorkspace, WorkTable
from connectors.lake.commits import WRITER, commit_progress, committing, with_progress
from connectors.lake.silver.baseline import Baseline
from connectors.lake.silver.progress import SilverProgress
from connectors.lake.silver.statistics import has_exact_statistics
from connectors.lake.silver.stored import has_below
from connectors.lake.silver.table import SilverTable
from connectors.postgres.identifiers import quote_literal

_HAS_IMAGE = "_cdc_has_image"


class ReadStored(Protocol):
    """Creates a work table of silver's rows of the keys that a query on the work tables selects."""

    def __call__(self, *, keys: str, into: WorkTable = "stored", values: Sequence[Column] = ()) -> None:
        """As `MergeEngine.read_stored`, of one table."""
        ...


def drop_purged(work: MergeWorkspace, purged: Position, *, read_stored: ReadStored) -> None:
    """Drops late changes, below the purge watermark, of keys that silver does not have any more."""
    keys, late = work.columns.keys, is_below("changes", purged)
    if work.count("changes", late) > 0:
        read_stored(keys=f"SELECT {keys} FROM changes WHERE {late}")
        work.delete("changes", f"{late} AND ({keys}) NOT IN (SELECT ({keys}) FROM stored)")


def fold_with_stored(
    work: MergeWorkspace,
    baseline: Baseline,
    *,
    read_stored: ReadStored,
    low_watermark: LowWatermark | None,
    later: str,
) -> None:
    """Folds `changes` into `folded`; changes with a TOAST value that nobody knows go to `rejected`, never to silver.

    Args:
        work: The work tables.
        baseline: What the table starts from.
        read_stored: What reads silver.
        low_watermark: A new low watermark.
        later: Query of the pending changes behind these.
    """
    columns = work.columns
    if has_kept(work):
        complete_at = baseline.complete_at if baseline.is_resync else NO_MARKER
        open_moves(work, complete_at=complete_at, later=later)
        read_stored(keys=keys_in_need(columns))
        if low_watermark is not None:
            work.delete("stored", is_below("stored", low_watermark.position))
        drop_merged(work)
        if has_moves(work):
            read_stored(keys=old_keys(columns), into="stored_values", values=columns.toastable)
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
                taken_away(low_watermark, moment=_for_delta), predicate=f"NOT t._cdc_deleted AND {below}"
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


def taken_away(low_watermark: LowWatermark, *, moment: Callable[[dt.datetime | None], str]) -> dict[str, str]:
    """Returns what a row says that a low watermark took away; its values stay.

    Args:
        low_watermark: The low watermark.
        moment: Writes a moment, or none, in the SQL of the engine.
    """
    epoch, prev = low_watermark.position[:2]
    values = (
        epoch,
        prev,
        low_watermark.lsn,
        f"'{low_watermark.op}'",
        moment(low_watermark.at),
        moment(dt.datetime.now(dt.UTC)),
        "TRUE",
    )
    return {name: str(value) for name, value in zip(CDC_COLUMNS, values, strict=True)}


def _for_delta(moment: dt.datetime | None) -> str:
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


def newer_sql(columns: Columns, *, values: Sequence[Column]) -> str:
    """Returns the query of the rows of `folded` that are newer than silver's, as silver has them.

    What a change leaves as it was comes from `stored_values`, silver's rows of the same keys.

    Args:
        columns: The columns of the table.
        values: Those that `stored_values` has.
    """
    selected = names(f"{_newer_value(c, stored=c in values)} AS {c.quoted}" for c in columns.all)
    same = " AND ".join(f"folded.{c.value} = stored_values.{c.value}" for c in columns.key)
    return f"""
SELECT {selected}, {names(f"folded.{name}" for name in POSITION)}, folded._cdc_committed_at,
    now() AS _cdc_merged_at, folded._cdc_op = 'd' AS _cdc_deleted
FROM folded LEFT JOIN stored_values ON {same}
WHERE stored_values._cdc_epoch IS NULL OR {is_newer("folded", "stored_values")}
"""


def _newer_value(column: Column, *, stored: bool) -> str:
    if not stored or column.is_key:
        return f"folded.{column.value}"
    # A delete without an image leaves what silver has.
    kept = "NOT folded.has_image" if not column.toastable else f"(NOT folded.has_image OR folded.{column.keep})"
    return f"if({kept} AND stored_values._cdc_epoch IS NOT NULL, stored_values.{column.value}, folded.{column.value})"
