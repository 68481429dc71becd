"""One drain of a source: stream to bronze, contract check, then table by table to silver."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from connectors.cdc.cadence import PendingTable
from connectors.cdc.outcomes import failures, one_by_one, require_all, succeeded
from connectors.cdc.reports import DrainReport, DriftReport, MergeReport
from connectors.errors import CaptureStopped, ServiceUnavailable, TerminalError
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings

if TYPE_CHECKING:
    from connectors.cdc.contract_check import ContractCheck  # takes long, and only its type is needed

Outcomes = dict[TableName, MergeReport | Exception]


@dataclass(frozen=True)
class SyncReport:
    """The result of a drain.

    Attributes:
        drained: What was drained into bronze.
        checked: The result of the contract check.
        resolved: Tables that were compared with their source after schema drift, or resynced.
        outcomes: For each table that was to be merged, the report of its merge or why it failed; for paused tables, why
            they are paused.
        waiting: Tables with pending changes that are not due.
        stopped: Why changes come to the stream no more; None: they do, as far as is known.
    """

    drained: DrainReport
    checked: "ContractCheck"
    resolved: Sequence[DriftReport]
    outcomes: Outcomes
    waiting: Sequence[PendingTable] = ()
    stopped: CaptureStopped | None = None

    def moved(self) -> dict[TableName, int]:
        """How many changes readers see more of than before, by table; of one that waits, all that is pending."""
        before = self.checked.up_to_batch - self.drained.batches
        pending = {p.table: p.changes for p in self.waiting if p.last_batch > before}
        return pending | {merge.table: merge.changes for merge in succeeded(self.outcomes) if merge.changes}

    def merged(self) -> list[MergeReport]:
        """The reports of the merges.

        Raises:
            CaptureStopped: All there was is merged, and no more will come.
            TerminalError: A table was not merged; it says which, and why.
        """
        if self.stopped is None:
            return require_all(self.outcomes, done="merged")
        try:
            require_all(self.outcomes, done="merged")
        except TerminalError as error:
            both = f"{self.stopped.message}\n{error.message}"
            raise CaptureStopped(both, hint=f"{self.stopped.hint}; {error.hint}") from error
        raise self.stopped


def _step(name: str) -> Callable[..., Any]:
    """A function of this package, imported when it is called: what only looks at a flow needs none of them."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return resolve_name(f"connectors.cdc.{name}")(*args, **kwargs)

    return call


@dataclass(frozen=True)
class Steps:
    """The steps of a drain. To observe or retry one, replace it by a function that calls it.

    Attributes:
        exclude: `connectors.cdc.exclusion.exclude_unsupported`.
        drain: `connectors.cdc.drain.drain_source`.
        check: `connectors.cdc.contract_check.check_contracts`.
        resolve: `connectors.cdc.drift.resolve_drift`.
        find_pending: `connectors.cdc.merge.pending_tables`.
        merge: `connectors.cdc.merge.merge_table`.
        find_stop: `connectors.cdc.capture.find_stop`.
    """

    exclude: Callable[[Settings], Sequence[TableName]]
    drain: Callable[..., DrainReport]
    check: Callable[[Settings], "ContractCheck"]
    resolve: Callable[..., DriftReport]
    find_pending: Callable[[Settings], Sequence[PendingTable]]
    merge: Callable[..., MergeReport]
    find_stop: Callable[[Settings], CaptureStopped | None]


PLAIN = Steps(
    exclude=_step("exclusion:exclude_unsupported"),
    drain=_step("drain:drain_source"),
    check=_step("contract_check:check_contracts"),
    resolve=_step("drift:resolve_drift"),
    find_pending=_step("merge:pending_tables"),
    merge=_step("merge:merge_table"),
    find_stop=_step("capture:find_stop"),
)


def sync_source(
    settings: Settings, *, through_lsn: int | None = None, only_due: bool = False, steps: Steps = PLAIN
) -> SyncReport:
    """Runs the steps of a drain, in the one order that is right.

    A table that can't be merged does not hold up the tables behind it, whatever the reason.

    Args:
        settings: The source, the stream and the lake.
        through_lsn: LSN of a marker: go on until everything committed before it is merged.
        only_due: Merge only where it is worth what it writes, or changes have waited long enough, and leave tables to
            the Spark job that are its; see `cadence`.
        steps: Other steps than the plain functions.

    Raises:
        PositionLost: The stream no longer holds what is to be read next.
        ServiceUnavailable: Stream, storage or source did not answer, or the marker did not arrive.
    """
    # First: if a table stops the source, no marker arrives. Bronze can go on without the source; what is missing then,
    # the check says.
    with suppress(ServiceUnavailable):
        steps.exclude(settings)
    stopped = None
    try:
        drained = steps.drain(settings, through_lsn=through_lsn)
    except CaptureStopped as error:
        # What has come is merged all the same.
        stopped, drained = error, steps.drain(settings, through_lsn=None)
    checked = steps.check(settings)
    changed = checked.changed
    resolved = one_by_one(changed, lambda table: steps.resolve(settings, table, changed[table]))
    if resolved:
        again = steps.check(settings)
        checked = replace(again, followed={**checked.followed, **again.followed})
    pending, now = steps.find_pending(settings), datetime.now(UTC)
    waiting = [p for p in pending if only_due and (p.is_for_spark(settings.spark) or not p.is_due(settings.cdc, now))]
    due = [p.table for p in pending if p not in waiting]
    outcomes = one_by_one(due, lambda table: steps.merge(settings, table, checked=checked))
    # A paused table is reported even if it has no pending changes.
    reported = {**checked.paused, **outcomes, **failures(resolved)}
    stopped = stopped or steps.find_stop(settings)
    return SyncReport(drained, checked, succeeded(resolved), reported, waiting, stopped)
