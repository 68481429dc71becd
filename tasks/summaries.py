"""The summary of a run in one line, for the message of its final state."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from connectors.backfill.grid import Grid
from connectors.cdc.outcomes import failures, succeeded
from connectors.cdc.reports import MaintenanceReport, RebuildReport, ReplayReport, SparkReport
from connectors.cdc.sync import Outcomes, SyncReport
from connectors.errors import TablePaused
from connectors.loads.reports import LoadReport
from connectors.quality.reports import TableComparison
from tasks.words import counted

if TYPE_CHECKING:
    from tasks.artifacts import DbtNode  # takes Prefect with it, which commands do without


def summarise_drain(report: SyncReport) -> str:
    """`1,243 changes in 6 tables, 1 resynced, 1 paused`."""
    merged = [merge for merge in succeeded(report.outcomes) if merge.changes]
    changes = sum(merge.changes for merge in merged)
    parts = [f"{counted(changes, 'change')} in {counted(len(merged), 'table')}" if changes else "no changes"]
    if report.waiting:
        parts.append(f"{counted(sum(pending.changes for pending in report.waiting), 'change')} pending")
    resynced = sum(drift.outcome == "resynced" for drift in report.resolved)
    if resynced:
        parts.append(f"{resynced} resynced")
    rejected = sum(merge.rejected for merge in merged)
    if rejected:
        parts.append(f"{counted(rejected, 'message')} rejected")
    return ", ".join([*parts, *_failures(report.outcomes)])


def summarise_reconciliation(comparisons: Sequence[TableComparison]) -> str:
    """`7 tables equal their source` or `2 of 7 tables differ in 12 rows`."""
    rows = sum(found.mismatches for found in comparisons)
    wrong = sum(found.mismatches > 0 for found in comparisons)
    if wrong:
        of_all = f"{wrong} of {counted(len(comparisons), 'table')}"
        return f"{of_all} {_verb(wrong, 'differs', 'differ')} in {counted(rows, 'row')}"
    return f"{counted(len(comparisons), 'table')} {_verb(len(comparisons), 'equals its', 'equal their')} source"


def summarise_rebuild(done: str, reports: Sequence[RebuildReport], *, failed: int) -> str:
    """`2 tables rebuilt, 1,000 rows, none differed`."""
    rows, differing = sum(r.rows for r in reports), sum(r.differing for r in reports)
    parts = [f"{counted(len(reports), 'table')} {done}", counted(rows, "row"), f"{differing or 'none'} differed"]
    return ", ".join([*parts, *([f"{failed} failed"] if failed else [])])


def summarise_replay(reports: Sequence[ReplayReport]) -> str:
    """`3 messages replayed, 0 superseded, 1 still rejected`."""
    replayed, superseded, rejected = (
        sum(getattr(r, name) for r in reports) for name in ("replayed", "superseded", "rejected")
    )
    if not reports:
        return "nothing was rejected"
    return f"{counted(replayed, 'message')} replayed, {superseded:,} superseded, {rejected:,} still rejected"


def summarise_spark(report: SparkReport | None, *, rebuild: bool) -> str:
    """`2 tables merged on Spark in 312 s, about $0.42`."""
    if report is None:
        return "no table is due for Spark"
    done = "rebuilt" if rebuild else "merged"
    job = report.job
    return f"{counted(len(report.tables), 'table')} {done} on Spark in {job.seconds:,.0f} s, about ${job.dollars:.2f}"


def summarise_maintenance(reports: Sequence[MaintenanceReport], *, failed: int) -> str:
    """`3 of 17 tables: 2 compact, 1 vacuum` or `17 tables: nothing was worth it`."""
    kinds = Counter(step.kind for report in reports for step in report.steps)
    touched, tables = sum(bool(report.steps) for report in reports), counted(len(reports), "table")
    done = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    parts = [f"{touched} of {tables}: {done}" if kinds else f"{tables}: nothing was worth it"]
    return ", ".join([*parts, *([f"{failed} failed"] if failed else [])])


def summarise_load(reports: Sequence[LoadReport], *, failed: int) -> str:
    """`1,243 rows in 3 tables, 2 rejected`."""
    rows, written = sum(r.rows for r in reports), sum(r.rows > 0 for r in reports)
    rejected = sum(r.rejected for r in reports)
    parts = [f"{counted(rows, 'row')} in {counted(written, 'table')}" if rows else "nothing new"]
    parts += [f"{rejected:,} rejected"] if rejected else []
    return ", ".join([*parts, *([f"{failed} failed"] if failed else [])])


def summarise_build(nodes: Sequence["DbtNode"]) -> str:
    """`12 models built, 40 tests passed`."""
    models = [node for node in nodes if node.kind == "model" and not node.failed]
    tests = [node for node in nodes if node.kind in ("test", "unit_test") and not node.failed]
    failed = sum(node.failed for node in nodes)
    parts = [f"{counted(len(models), 'model')} built", f"{counted(len(tests), 'test')} passed"]
    return ", ".join([*parts, *([f"{failed} failed or skipped"] if failed else [])])


def summarise_backfill(grid: Grid) -> str:
    """`29 partitions done, 1 failed`."""
    counts = Counter(grid.counts)
    done = counts.pop("done", 0)
    others = [f"{count:,} {state}" for state, count in counts.items() if count]
    return ", ".join([f"{counted(done, 'partition')} done", *others])


def _failures(outcomes: Outcomes) -> list[str]:
    failed = failures(outcomes).values()
    paused = sum(isinstance(error, TablePaused) for error in failed)
    parts = [f"{paused} paused"] if paused else []
    return [*parts, f"{len(failed) - paused} failed"] if len(failed) > paused else parts


def _verb(number: int, singular: str, plural: str) -> str:
    return singular if number == 1 else plural
