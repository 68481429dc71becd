"""Retention: trims bronze and purges soft-deleted rows.

Old messages of bronze, once a snapshot of silver stands for them; deleted rows of silver, once nothing older comes.
"""

import datetime as dt
from dataclasses import dataclass

from connectors.cdc.merge import open_silver
from connectors.lake.bronze import BronzeFile, BronzeLog
from connectors.lake.commits import optimistically
from connectors.lake.layout import LakeLayout, log_name
from connectors.lake.quarantine import first_rejected_batch
from connectors.lake.silver.purge import count_deleted, merged_through, purge_deleted
from connectors.lake.silver.saved_copy import record_snapshot, snapshot_batch
from connectors.lake.silver.table import SilverTable
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings

_NO_SNAPSHOT = "its snapshot is not complete"
_REJECTED = "messages are rejected: see `lakehouse quarantine list`"


@dataclass(frozen=True)
class TrimReport:
    """What was, or would be, trimmed of one table.

    Attributes:
        table: The source table.
        messages: How many messages.
        size: Bytes of their files.
        before: Messages received before this day.
        kept: Why not more of what is old enough; empty: all of it.
    """

    table: TableName
    messages: int
    size: int
    before: dt.date
    kept: str


@dataclass(frozen=True)
class PurgeReport:
    """What was, or would be, purged of one table.

    Attributes:
        table: The source table.
        deleted: How many deleted rows it had.
        purged: How many of them go.
        younger: How many stay because they are not old enough.
        kept: Why the rest stays; empty: there is none.
    """

    table: TableName
    deleted: int
    purged: int
    younger: int
    kept: str


def trim_bronze(settings: Settings, table: TableName, *, before: dt.date, dry_run: bool = True) -> TrimReport:
    """Takes out of bronze the messages of a table that were received before a day, and that silver has merged.

    First silver is recorded as a snapshot, with which a rebuild begins from then on. Whole days go, up to the first
    one that holds something silver has not merged; before a message that is rejected, only what an earlier snapshot
    stands for. Killed, it is run again.

    Args:
        settings: The source and the lake.
        table: The source table.
        before: The first day to keep.
        dry_run: Only say what would be done.

    Raises:
        CommitConflict: Other writers won every race.
        ConfigurationError: There is no such table in this source.
        ContractMismatch: Silver has not got the contract's columns yet: drain first.
    """
    layout = LakeLayout.of(settings)

    def attempt() -> TrimReport:
        bronze, silver = BronzeLog(layout), open_silver(settings, table)
        old = [f for f in bronze.files().get(log_name(table), ()) if f.ingest_date < before]
        first, kept = _first_day_to_keep(layout, silver, old, before=before)
        gone = [f for f in old if f.ingest_date < first]
        if gone and not dry_run:
            up_to_batch = max(f.last_batch for f in gone)
            record_snapshot(layout, silver, at_least=up_to_batch)
            bronze.trim(table, before=first, up_to_batch=up_to_batch)
        return TrimReport(table, sum(f.rows for f in gone), sum(f.size for f in gone), first, kept)

    return optimistically(attempt)


def purge_silver(settings: Settings, table: TableName, *, before: dt.datetime, dry_run: bool = True) -> PurgeReport:
    """Purges soft-deleted rows that silver merged before a moment, and that no older change can follow.

    One commit; killed, it is run again.

    Args:
        settings: The source and the lake.
        table: The source table.
        before: Deleted rows that were merged later stay.
        dry_run: Only say what would be done.

    Raises:
        CommitConflict: Other writers won every race.
        ConfigurationError: There is no such table in this source.
    """
    layout = LakeLayout.of(settings)

    def attempt() -> PurgeReport:
        bronze, silver = BronzeLog(layout), open_silver(settings, table)
        if not silver.contract.key:
            return PurgeReport(table, 0, 0, 0, "it has no key: silver is its history")
        progress = merged_through(bronze, silver)
        found = count_deleted(silver, before=before, progress=progress)
        refused = _refuse_purge(layout, silver)
        if found.settled and not refused and not dry_run:
            purge_deleted(silver, before=before, progress=progress)
        purged = 0 if refused else found.settled
        kept = (refused or "older changes may still come: `lakehouse drain`") if purged < found.old else ""
        return PurgeReport(table, found.rows, purged, found.rows - found.old, kept)

    return optimistically(attempt)


def _refuse_purge(layout: LakeLayout, silver: SilverTable) -> str:
    """Returns why no deleted row may go; empty: nothing stands against it."""
    if silver.baseline.is_pending or silver.awaits_resync:
        return _NO_SNAPSHOT
    return "" if first_rejected_batch(layout, silver.contract.table) is None else _REJECTED


def _first_day_to_keep(
    layout: LakeLayout, silver: SilverTable, old: list[BronzeFile], *, before: dt.date
) -> tuple[dt.date, str]:
    """Returns the first day to keep, and why it is not `before`."""
    rejected = first_rejected_batch(layout, silver.contract.table)
    if silver.baseline.is_pending or silver.awaits_resync:
        safe, kept = 0, _NO_SNAPSHOT
    elif rejected is not None and rejected <= silver.batch:
        # A rebuild replays it, so it has to begin before it: a snapshot of silver as it is now would be past it.
        recorded = snapshot_batch(layout, silver.contract.table)
        safe, kept = recorded if recorded < rejected else 0, _REJECTED
    else:
        safe, kept = silver.batch, "silver has not merged the rest"
    needed = [f.ingest_date for f in old if f.last_batch > safe]
    return (min(needed), kept) if needed else (before, "")
