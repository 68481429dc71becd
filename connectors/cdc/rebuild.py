"""Rebuilds silver from bronze: beside the old table, then switched in one commit."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from deltalake.exceptions import DeltaError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from connectors.cdc.contract_check import ContractCheck, check_contracts
from connectors.cdc.merge import merge_table, open_silver
from connectors.cdc.reports import RebuildReport
from connectors.errors import CommitConflict, LakehouseError, SourceNotReady
from connectors.failpoints import failpoint
from connectors.lake.bronze import BronzeLog
from connectors.lake.contract_log import latest_versions
from connectors.lake.layout import LakeLayout
from connectors.lake.quarantine import Rules
from connectors.lake.silver.current import write_current
from connectors.lake.silver.progress import SilverProgress
from connectors.lake.silver.replace import compare_rows, has_replaced, replace_rows
from connectors.lake.silver.saved_copy import restore_snapshot
from connectors.lake.silver.settle import settle_rejected
from connectors.lake.silver.table import SilverTable
from connectors.lake.storage import delete_table, open_table
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings

if TYPE_CHECKING:
    from connectors.lake.engines.partitioned import Runner

_ATTEMPTS = 5
_OVERTAKEN_ATTEMPTS = 10


def rebuild_checked(settings: Settings, table: TableName) -> RebuildReport:
    """Checks the contracts, then rebuilds a table; see `rebuild_silver`."""
    return rebuild_silver(settings, table, checked=check_contracts(settings))


def rebuild_silver(
    settings: Settings, table: TableName, *, checked: ContractCheck, runner: "Runner[Any] | None" = None
) -> RebuildReport:
    """Rebuilds a silver table from bronze; readers of the old one are not disturbed.

    A paused table stays as it is: the contract does not fit its events.

    The next run resumes a killed one from the batch it had reached. Two at once make one table beside silver; the first
    that is done removes it, and the other begins again.

    Args:
        settings: The source and the lake.
        table: The source table.
        checked: Which tables are paused, and how far the contracts are known to hold.
        runner: Where to merge in many processes; None: here.

    Raises:
        CommitConflict: Merges or rebuilds of this table won every race.
        ConfigurationError: There is no such table in this source.
        ContractMismatch: The new table would have two rows of one key, or the table is paused.
        SourceNotReady: The table's rows were not all read yet.
    """
    attempts = Retrying(
        retry=retry_if_exception_type(_Overtaken),
        stop=stop_after_attempt(_OVERTAKEN_ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.1, max=2),
        reraise=True,
    )
    return attempts(_rebuild, settings, table, checked=checked, runner=runner)


def _rebuild(
    settings: Settings, table: TableName, *, checked: ContractCheck, runner: "Runner[Any] | None"
) -> RebuildReport:
    began = time.monotonic()
    layout = LakeLayout.of(settings)
    silver, rules = open_silver(settings, table), current_rules(layout, table)
    beside = layout.rebuild(table)
    trimmed = BronzeLog(layout).trimmed(table)
    _discard_stale(silver, beside, trimmed=trimmed)
    try:
        new = open_silver(settings, table, at=beside)
    except DeltaError as error:
        raise _overtaken(table, beside) from error
    with _unless_overtaken(new):
        if new.batch < trimmed:
            restore_snapshot(layout, new, at_least=trimmed)
        changes = 0
        for attempt in range(1, _ATTEMPTS + 1):
            # What silver has merged was checked.
            checked = replace(checked, up_to_batch=max(checked.up_to_batch, silver.batch))
            changes += merge_table(settings, table, checked=checked, into=beside, runner=runner).changes
            # The contract may have another version by now.
            new = _same(open_silver(settings, table, at=beside), new)
            _require_rows(new)
            rows, differing = compare_rows(silver.reload(), new)
            try:
                replace_rows(silver, new)
                break
            except CommitConflict:
                if attempt == _ATTEMPTS:
                    raise
    failpoint("silver-replaced")
    # From here on the table beside is not needed, and another run may remove it.
    silver = open_silver(settings, table)
    settle_rejected(layout, silver, rules=rules, silver_version=silver.table.version())
    _remove(new)
    write_current(silver, limit=settings.cdc.current_rows)
    return RebuildReport(table, changes, rows, differing, silver.table.version(), time.monotonic() - began)


class _Overtaken(CommitConflict):
    """Another rebuild removed the table that this one was making."""


def _same(new: SilverTable, before: SilverTable) -> SilverTable:
    """Returns a table if it is the one of before, and no other at the same address."""
    if new.table.metadata().id != before.table.metadata().id:
        raise _overtaken(before.contract.table, before.uri)
    return new


def _remove(new: SilverTable) -> None:
    """Removes a table, and no other that another run has begun at the same address."""
    try:
        found = open_table(new.uri)
    except DeltaError:
        return  # another run is removing it
    if found is not None and found.metadata().id == new.table.metadata().id:
        delete_table(new.uri)


def _overtaken(table: TableName, beside: str) -> _Overtaken:
    return _Overtaken(f"other rebuilds of {table} were done first, and removed {beside}")


@contextmanager
def _unless_overtaken(new: SilverTable) -> Iterator[None]:
    """Whatever fails because another rebuild removed the table, fails as that."""
    own = new.table.metadata().id
    try:
        yield
    except (LakehouseError, DeltaError) as error:
        try:
            found = open_table(new.uri)
        except DeltaError:
            found = None  # it is being removed
        if found is not None and found.metadata().id == own:
            raise
        raise _overtaken(new.contract.table, new.uri) from error


def current_rules(layout: LakeLayout, table: TableName) -> Rules:
    """Returns the contract version and release that read messages of a table now."""
    try:
        release = version("lakehouse-flows")
    except PackageNotFoundError:
        release = "not installed"
    return Rules(latest_versions(layout)[table].version, release)


def _require_rows(new: SilverTable) -> None:
    table = new.contract.table
    if new.baseline.is_pending:
        raise SourceNotReady(f"the snapshot of {table} was not taken yet", hint="run `lakehouse source register`")
    if new.awaits_resync:
        raise SourceNotReady(
            f"the snapshot of {table} is not complete in bronze yet", hint="run `lakehouse drain` first"
        )


def _discard_stale(silver: SilverTable, beside: str, *, trimmed: int) -> None:
    """Removes what an earlier rebuild left, unless it can be resumed."""
    try:
        left = open_table(beside)
    except DeltaError:
        # A failing storage raises another error: this is a table that a killed run had begun to remove.
        delete_table(beside)
        return
    if left is None:
        return
    progress = SilverProgress.of(left)
    began_elsewhere = progress is not None and progress.low_watermark < silver.baseline.position
    lacks_batches = progress is not None and progress.batch < trimmed
    if (
        began_elsewhere
        or lacks_batches
        or has_replaced(silver, left)
        or left.schema().to_arrow().names != silver.schema.names
    ):
        delete_table(beside)
