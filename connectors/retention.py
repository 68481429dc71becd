"""What the lake need not keep for ever: old messages of bronze, once a snapshot of silver stands for them."""

import datetime as dt
from dataclasses import dataclass

from connectors.errors import CommitConflict
from connectors.lake.bronze import BronzeFile, BronzeLog
from connectors.lake.layout import LakeLayout, log_name
from connectors.lake.quarantine import first_rejected_batch
from connectors.lake.silver.merge import SilverTable
from connectors.lake.silver.progress import UNREAD
from connectors.lake.silver.snapshot import record_snapshot
from connectors.merge import open_silver
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings

_ATTEMPTS = 5


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


def trim_bronze(settings: Settings, table: TableName, *, before: dt.date, dry_run: bool = True) -> TrimReport:
    """Takes out of bronze the messages of a table that were received before a day, and that silver has merged.

    First silver is recorded as a snapshot, with which a rebuild begins from then on. Whole days go, up to the first
    one that holds something silver has not merged, or a message that is rejected. Killed, it is run again.

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
    layout = LakeLayout(settings.lake.root, settings.cdc.source)
    attempts = 0
    while True:
        bronze, silver = BronzeLog(layout), open_silver(settings, table)
        old = [f for f in bronze.files().get(log_name(table), ()) if f.ingest_date < before]
        before, kept = _first_day_to_keep(layout, silver, old, before=before)
        gone = [f for f in old if f.ingest_date < before]
        report = TrimReport(table, sum(f.rows for f in gone), sum(f.size for f in gone), before, kept)
        if dry_run or not gone:
            return report
        try:
            up_to_batch = max(f.last_batch for f in gone)
            record_snapshot(layout, silver, at_least=up_to_batch)
            bronze.trim(table, before=before, up_to_batch=up_to_batch)
        except CommitConflict:
            attempts += 1
            if attempts == _ATTEMPTS:
                raise
        else:
            return report


def vacuum_bronze(settings: Settings) -> int:
    """Deletes the files of messages that were trimmed a week ago or earlier; returns how many."""
    return BronzeLog(LakeLayout(settings.lake.root, settings.cdc.source)).vacuum()


def _first_day_to_keep(
    layout: LakeLayout, silver: SilverTable, old: list[BronzeFile], *, before: dt.date
) -> tuple[dt.date, str]:
    """Returns the first day to keep, and why it is not `before`."""
    rejected = first_rejected_batch(layout, silver.contract.table)
    if silver.beginning == UNREAD or silver.awaits_rows:
        safe, kept = 0, "its rows are still to be read"
    elif rejected is not None and rejected <= silver.batch:
        safe, kept = rejected - 1, "messages are rejected: see `lakehouse quarantine list`"
    else:
        safe, kept = silver.batch, "silver has not merged the rest"
    needed = [f.ingest_date for f in old if f.last_batch > safe]
    return (min(needed), kept) if needed else (before, "")
