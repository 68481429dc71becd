"""Files that no version of a table needs any more, and entries of its log from before a checkpoint."""

from datetime import UTC, datetime, timedelta

from deltalake import DeltaTable

from connectors.lake.commits import committing, optimistically
from connectors.lake.maintenance.steps import Step
from connectors.lake.storage import list_files, open_table, storage_errors

_RETENTION = "delta.logRetentionDuration"


def vacuum(uri: str, *, hours: int, dry_run: bool) -> Step | None:
    """Deletes files that were replaced so long ago, and what killed writers left so long ago.

    Args:
        uri: Address of the table.
        hours: Longer than any run that reads or writes the table.
        dry_run: Only say what would be done.

    Returns:
        None: there are none, or there is no such table.

    Raises:
        CommitConflict: Other writers won every race.
    """

    def attempt() -> Step | None:
        table = open_table(uri)
        found = [] if table is None else _vacuum(table, hours, dry_run=True)
        if table is None or not found:
            return None
        if not dry_run:
            _vacuum(table, hours, dry_run=False)
        return Step("vacuum", f"no version of the last {hours} h needs them", len(found), 0)

    return optimistically(attempt)


def clean_log(uri: str, *, days: int, dry_run: bool) -> Step | None:
    """Deletes entries of a table's log that are so old, and that the last checkpoint before that stands for.

    Args:
        uri: Address of the table.
        days: Versions of the last so many days can be opened.
        dry_run: Only say what would be done.

    Returns:
        None: there are none, or there is no such table.

    Raises:
        CommitConflict: Other writers won every race.
    """

    def attempt() -> Step | None:
        table = open_table(uri)
        if table is None:
            return None
        entries = list_files(f"{uri}/_delta_log")
        limit = datetime.now(UTC) - timedelta(days=days)
        bases = [e.name for e in entries if e.name.endswith(".checkpoint.parquet") and e.modified_at < limit]
        # All names begin with a version, of as many digits.
        gone = [e for e in entries if bases and e.name[0].isdigit() and e.name < max(bases).partition(".")[0]]
        if not gone:
            return None
        if not dry_run:
            _keep_days(table, days)
            with storage_errors(uri):
                table.cleanup_metadata()
        return Step("log", f"entries of the log are older than {days} days", len(gone), sum(e.size for e in gone))

    return optimistically(attempt)


def _keep_days(table: DeltaTable, days: int) -> None:
    wanted = f"interval {days} days"
    if table.metadata().configuration.get(_RETENTION) != wanted:
        with committing(table):
            table.alter.set_table_properties({_RETENTION: wanted})


def _vacuum(table: DeltaTable, hours: int, *, dry_run: bool) -> list[str]:
    with committing(table):
        # Full: what a killed writer left is not in the log.
        return table.vacuum(hours, dry_run=dry_run, enforce_retention_duration=False, full=True)
