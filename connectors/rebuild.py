"""Silver made anew from bronze: without the source, beside the old table, switched at once."""

import time

from deltalake.exceptions import DeltaError

from connectors.errors import CommitConflict, SourceNotReady
from connectors.failpoints import failpoint
from connectors.lake.layout import LakeLayout
from connectors.lake.silver.merge import SilverTable
from connectors.lake.silver.progress import UNREAD, SilverProgress
from connectors.lake.silver.replace import compare_rows, has_replaced, replace_rows
from connectors.lake.storage import delete_table, open_table
from connectors.merge import merge_table, open_silver
from connectors.postgres.identifiers import TableName
from connectors.reports import RebuildReport
from connectors.settings import Settings

_ATTEMPTS = 5


def rebuild_silver(settings: Settings, table: TableName) -> RebuildReport:
    """Makes a silver table anew from all that bronze holds of it; readers of the old one are not disturbed.

    A run that was killed is gone on with by the next one, from the batch that it had reached.

    Raises:
        CommitConflict: Merges of this table won every race.
        ConfigurationError: There is no such table in this source.
        ContractMismatch: The new table would have two rows of one key.
        SourceNotReady: The table's rows were not all read yet.
    """
    began = time.monotonic()
    silver = open_silver(settings, table)
    beside = LakeLayout(settings.lake.root, settings.cdc.source).rebuild(table)
    _discard_stale(silver, beside)
    changes = 0
    for attempt in range(1, _ATTEMPTS + 1):
        changes += merge_table(settings, table, into=beside).changes
        new = open_silver(settings, table, at=beside)
        _require_rows(new)
        rows, differing = compare_rows(silver.reload(), new)
        try:
            replace_rows(silver, new)
            break
        except CommitConflict:
            if attempt == _ATTEMPTS:
                raise
    failpoint("silver-replaced")
    delete_table(beside)
    return RebuildReport(table, changes, rows, differing, silver.table.version(), time.monotonic() - began)


def _require_rows(new: SilverTable) -> None:
    table = new.contract.table
    if new.beginning == UNREAD:
        raise SourceNotReady(f"the rows of {table} were not read yet", hint="run `lakehouse source register`")
    if new.awaits_rows:
        raise SourceNotReady(
            f"the rows of {table} that were read anew are not all in bronze yet", hint="run `lakehouse drain` first"
        )


def _discard_stale(silver: SilverTable, beside: str) -> None:
    """Removes what an earlier rebuild left, unless it can be gone on with."""
    try:
        left = open_table(beside)
    except DeltaError:
        # Storage that fails is told otherwise: this is a table that a killed run had begun to remove.
        delete_table(beside)
        return
    if left is None:
        return
    progress = SilverProgress.of(left)
    began_elsewhere = progress is not None and progress.floor < silver.beginning.floor
    if began_elsewhere or has_replaced(silver, left) or left.schema().to_arrow().names != silver.schema.names:
        delete_table(beside)
