"""One drain of a source: the stream into bronze, the contracts checked, then table by table into silver."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from connectors.errors import ServiceUnavailable
from connectors.outcomes import failures, one_by_one, require_all, succeeded
from connectors.postgres.identifiers import TableName
from connectors.reports import DrainReport, MergeReport, Settlement
from connectors.settings import Settings

if TYPE_CHECKING:
    from connectors.evolution import ContractCheck  # takes long, and only its type is needed

Outcomes = dict[TableName, MergeReport | Exception]


@dataclass(frozen=True)
class SyncReport:
    """What a drain came to.

    Attributes:
        drained: What was brought into bronze.
        checked: What the source's catalogue says of the tables.
        settled: What came of tables that had to be compared with their source, or read anew.
        outcomes: Of each table that had something pending, the report of its merge or why it failed; and why those are
            held that had nothing.
    """

    drained: DrainReport
    checked: "ContractCheck"
    settled: Sequence[Settlement]
    outcomes: Outcomes

    def merged(self) -> list[MergeReport]:
        """The reports of the merges.

        Raises:
            TerminalError: A table was not merged; it says which, and why.
        """
        return require_all(self.outcomes, done="merged")


@dataclass(frozen=True)
class Steps:
    """The steps of a drain: functions of `connectors`, or what calls them for somebody who wants to see or retry them.

    Attributes:
        leave_out: `connectors.leave_out.leave_out_stopping`.
        drain: `connectors.drain.drain_source`.
        check: `connectors.evolution.check_contracts`.
        settle: `connectors.settle.settle_change`.
        find_pending: `connectors.merge.pending_tables`.
        merge: `connectors.merge.merge_table`.
    """

    leave_out: Callable[[Settings], Sequence[TableName]]
    drain: Callable[..., DrainReport]
    check: Callable[[Settings], "ContractCheck"]
    settle: Callable[..., Settlement]
    find_pending: Callable[[Settings], Sequence[TableName]]
    merge: Callable[..., MergeReport]

    @classmethod
    def plain(cls) -> Self:
        """The functions themselves."""
        from connectors import drain, evolution, leave_out, merge, settle  # noqa: PLC0415 - start-up of others' steps

        return cls(
            leave_out=leave_out.leave_out_stopping,
            drain=drain.drain_source,
            check=evolution.check_contracts,
            settle=settle.settle_change,
            find_pending=merge.pending_tables,
            merge=merge.merge_table,
        )


def sync_source(settings: Settings, *, through_lsn: int | None = None, steps: Steps | None = None) -> SyncReport:
    """Runs the steps of a drain, in the one order that is right.

    A table that can't be merged does not hold up the tables behind it, whatever the reason.

    Args:
        settings: The source, the stream and the lake.
        through_lsn: LSN of a marker: go on until everything committed before it is merged.
        steps: Other steps than the plain functions.

    Raises:
        PositionLost: The stream no longer holds what is to be read next.
        ServiceUnavailable: Stream, storage or source did not answer, or the marker did not arrive.
    """
    steps = steps or Steps.plain()
    # First: if a table stops the source, no marker arrives. Bronze can go on without the source; what is missing then,
    # the check says.
    with suppress(ServiceUnavailable):
        steps.leave_out(settings)
    drained = steps.drain(settings, through_lsn=through_lsn)
    checked = steps.check(settings)
    changed = checked.changed
    settled = one_by_one(changed, lambda table: steps.settle(settings, table, changed[table]))
    if settled:
        again = steps.check(settings)
        checked = replace(again, followed={**checked.followed, **again.followed})
    outcomes = one_by_one(steps.find_pending(settings), lambda table: steps.merge(settings, table, checked=checked))
    # A table that is held is said to be, also where nothing of it is pending.
    return SyncReport(drained, checked, succeeded(settled), {**checked.held, **outcomes, **failures(settled)})
