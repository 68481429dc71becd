"""Files that no version of a table needs any more, and entries of its log from before a checkpoint."""

import re
from datetime import UTC, datetime, timedelta

from deltalake import DeltaTable

from connectors.lake.commits import REMOVALS, committing, optimistically
from connectors.lake.iceberg.claims import read_claim
from connectors.lake.maintenance.steps import Step
from connectors.lake.storage import list_files, open_table, storage_errors

_RETENTION = "delta.logRetentionDuration"
_HOURS = re.compile(r"interval (\d+) hours")
_BY_DEFAULT_HOURS = 7 * 24


def vacuum(uri: str, *, hours: int, dry_run: bool) -> Step | None:
    """Deletes files that were replaced so long ago, and what killed writers left so long ago.

    Args:
        uri: Address of the table.
        hours: Longer than any run that reads or writes the table.
        dry_run: Only say what would be done.

    Returns:
        None: there are none, there is no such table, or its files are Iceberg's. Those of a version that Iceberg reads
            stay.

    Raises:
        CommitConflict: Other writers won every race.
    """

    def attempt() -> Step | None:
        table, claim = open_table(uri), read_claim(uri)
        if table is None or (claim is not None and claim.migrated):
            return None
        versions = [] if claim is None else list(claim.versions)
        found = _vacuum(table, hours, keep=versions, dry_run=True)
        if not found:
            return None
        if not dry_run:
            _remember_removals(table, hours)
            _vacuum(table, hours, keep=versions, dry_run=False)
        return Step("vacuum", f"no version of the last {hours} h needs them", len(found), 0)

    return optimistically(attempt)


def clean_log(uri: str, *, days: int, dry_run: bool) -> Step | None:
    """Deletes entries of a table's log that are so old, and that the last checkpoint before that stands for.

    Args:
        uri: Address of the table.
        days: Versions of the last so many days can be opened.
        dry_run: Only say what would be done.

    Returns:
        None: there are none, there is no such table, or Iceberg reads a version from before.

    Raises:
        CommitConflict: Other writers won every race.
    """

    def attempt() -> Step | None:
        table, claim = open_table(uri), read_claim(uri)
        if table is None:
            return None
        entries = list_files(f"{uri}/_delta_log")
        limit = datetime.now(UTC) - timedelta(days=days)
        bases = [e.name for e in entries if e.name.endswith(".checkpoint.parquet") and e.modified_at < limit]
        # All names begin with a version, of as many digits.
        base = max(bases).partition(".")[0] if bases else ""
        gone = [e for e in entries if e.name[0].isdigit() and e.name < base]
        if not gone or (claim is not None and min(claim.versions) < int(base)):
            return None
        if not dry_run:
            _keep_days(table, days)
            with storage_errors(uri):
                table.cleanup_metadata()
        return Step("log", f"entries of the log are older than {days} days", len(gone), sum(e.size for e in gone))

    return optimistically(attempt)


def _remember_removals(table: DeltaTable, hours: int) -> None:
    """Makes checkpoints remember as long as that which files were removed: vacuum takes an older file for an orphan."""
    known = _HOURS.fullmatch(table.metadata().configuration.get(REMOVALS) or "")
    if hours > (int(known[1]) if known else _BY_DEFAULT_HOURS):
        with committing(table):
            table.alter.set_table_properties({REMOVALS: f"interval {hours} hours"})


def _keep_days(table: DeltaTable, days: int) -> None:
    wanted = f"interval {days} days"
    if table.metadata().configuration.get(_RETENTION) != wanted:
        with committing(table):
            table.alter.set_table_properties({_RETENTION: wanted})


def _vacuum(table: DeltaTable, hours: int, *, keep: list[int], dry_run: bool) -> list[str]:
    with committing(table):
        # Full: what a killed writer left is not in the log.
        return table.vacuum(
            hours, dry_run=dry_run, enforce_retention_duration=False, full=True, keep_versions=keep or None
        )
