"""Artifacts: pages in the Prefect UI, written for readers who do not know the code."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from prefect.artifacts import create_markdown_artifact

from connectors.cdc.reports import MergeReport, RebuildReport, ReplayReport
from connectors.cdc.sync import SyncReport
from connectors.errors import TablePaused
from connectors.postgres.identifiers import TableName
from connectors.postgres.lsn import format_lsn
from connectors.quality.reports import SourceLag, TableComparison, TableState
from tasks.cost import Cost
from tasks.markdown import cell, table
from tasks.words import counted

_LEGEND = """\
- **changes**: row changes merged into the table, or appended to its history.
- **rejected**: messages that can't be read; the quarantine keeps them, with the reason.
- **up to batch**: number of the last micro-batch of the change log that the table shows.
"""

_WAITING = "Changes that wait for a merge, and that readers of the lake's views see all the same:"

_REPLAY_LEGEND = """\
- **replayed**: messages that the table shows now.
- **superseded**: messages of rows that something newer has changed since.
- **rejected**: messages that still can't be read.
"""


@dataclass(frozen=True)
class DbtNode:
    """The result of one dbt model or test."""

    kind: str
    name: str
    status: str
    seconds: float
    message: str | None

    @property
    def failed(self) -> bool:
        """Whether it failed, or was skipped because something before it failed."""
        return self.status not in ("success", "pass", "warn", "no-op")


def publish_drain(report: SyncReport, cost: Cost) -> None:
    """Publishes what a drain moved, per table, and what it cost."""
    source = report.drained.source
    create_markdown_artifact(
        render_drain(report, cost),
        key=f"drain-{source.replace('_', '-')}",
        description=f"What the last drain moved from {source} to the lake.",
    )


def render_drain(report: SyncReport, cost: Cost) -> str:
    """Returns the page of a drain."""
    drained, checked, outcomes = report.drained, report.checked, report.outcomes
    end = "" if drained.through_lsn == 0 else f", through LSN {format_lsn(drained.through_lsn)}"
    moved = (
        f"{counted(drained.messages, 'message')} of the stream went to the change log (bronze), "
        f"in {counted(drained.batches, 'micro-batch')} and {drained.seconds:.1f} s{end}."
    )
    parts = [f"## Changes of `{drained.source}`", moved]
    if outcomes:
        head = ("table", "changes", "rejected", "up to batch", "seconds")
        parts += [table(head, [_row(name, outcome) for name, outcome in sorted(outcomes.items())]), _LEGEND]
    else:
        parts.append("No table was due for a merge." if report.waiting else "Every table was up to date.")
    if report.waiting:
        waiting = [
            (str(p.table), f"{p.changes:,}", "" if p.since is None else render_moment(p.since)) for p in report.waiting
        ]
        parts += [_WAITING, table(("table", "changes", "waiting since"), waiting)]
    if checked.dropped:
        parts.append(f"Dropped at the source: {', '.join(map(str, checked.dropped))}. Run `lakehouse source register`.")
    if checked.followed:
        changes = [(str(name), "; ".join(map(str, found))) for name, found in sorted(checked.followed.items())]
        parts += ["Schema drift that silver followed:", table(("table", "change"), changes)]
    if report.resolved:
        head = ("table", "outcome", "why", "rows", "seconds")
        rows = [(str(s.table), s.outcome, s.why, f"{s.rows:,}", f"{s.seconds:.1f}") for s in report.resolved]
        parts += ["Tables compared with their source after schema drift:", table(head, rows)]
    parts.append(render_cost(cost))
    return "\n\n".join(parts)


def publish_freshness(source: str, states: Sequence[TableState], lag: SourceLag) -> None:
    """Publishes the freshness of the tables, and the replication lag of their source."""
    create_markdown_artifact(
        render_freshness(source, states, lag, now=datetime.now(UTC)),
        key=f"freshness-{source.replace('_', '-')}",
        description=f"Freshness of the tables of {source}, and replication lag. Renewed by every drain.",
    )


def render_freshness(source: str, states: Sequence[TableState], lag: SourceLag, *, now: datetime) -> str:
    """Returns the page of freshness and replication lag; the freshest table first."""
    head = ("table", "rows", "newest change (UTC)", "age when measured", "Delta version")
    rows = []
    for state in sorted(states, key=lambda s: (s.newest_change is None, now - (s.newest_change or now), s.table)):
        newest, age = "never", ""
        if state.newest_change is not None:
            newest, age = render_moment(state.newest_change), render_span(now - state.newest_change)
        rows.append((str(state.table), f"{state.rows:,}", newest, age, f"{state.version}"))
    legend = (
        "**age when measured**: age of the newest change that the table shows. A table that nobody writes to grows old "
        "and is still up to date: the replication lag above says whether changes wait. Changes that wait for a merge "
        "count, as the views show them; **rows** are those of the last merge. Every drain renews this page."
    )
    parts = [
        f"## Freshness of `{source}`",
        f"Measured at {render_moment(now)} UTC.",
        _render_lag(lag),
        table(head, rows),
        legend,
    ]
    return "\n\n".join(parts)


def _render_lag(lag: SourceLag) -> str:
    if lag.behind_bytes is None:
        return "**The source is not captured**: it has no replication slot. Run `lakehouse source register`."
    if lag.retained_bytes is None:
        return "**Changes are lost**: the server does not retain the WAL to read next. Remove and register the source."
    state = (
        f"Replication lag: {lag.behind_bytes / 1e6:.1f} MB of WAL. "
        f"Retained WAL: {lag.retained_bytes / 1e6:.1f} MB on the server's disk."
    )
    return state if lag.reading else f"**Nothing reads the WAL now**: is Kafka Connect up? {state}"


def publish_rebuild(verb: str, reports: Sequence[RebuildReport]) -> None:
    """Publishes which tables were rebuilt or resynced, and how many rows that changed."""
    create_markdown_artifact(
        render_rebuild(verb, reports), key=f"{verb}-tables", description=f"Tables of the last {verb}."
    )


def render_rebuild(verb: str, reports: Sequence[RebuildReport]) -> str:
    """Returns the page of a rebuild or resync."""
    head = ("table", "rows", "rows that differed from the old table", "seconds")
    rows = [(str(r.table), f"{r.rows:,}", f"{r.differing:,}", f"{r.seconds:.1f}") for r in reports]
    return f"## Tables of the last {verb}\n\n{table(head, rows)}"


def publish_reconciliation(source: str, comparisons: Sequence[TableComparison]) -> None:
    """Publishes which tables equal their source, and the first keys that differ."""
    create_markdown_artifact(
        render_reconciliation(source, comparisons),
        key=f"reconcile-{source.replace('_', '-')}",
        description=f"Whether silver equals {source}, table by table.",
    )


def render_reconciliation(source: str, comparisons: Sequence[TableComparison]) -> str:
    """Returns the page of a comparison: the verdict, then every table, then the keys that differ."""
    wrong = [found for found in comparisons if found.mismatches]
    verdict = (
        f"{len(wrong)} of {counted(len(comparisons), 'table')} differ." if wrong else "Every table equals its source."
    )
    head = ("table", "rows in the source", "rows in silver", "rows that differ")
    rows = [(str(c.table), f"{c.source_rows:,}", f"{c.silver_rows:,}", f"{c.mismatches:,}") for c in comparisons]
    parts = [f"## Silver and `{source}`", verdict, table(head, rows)]
    if wrong:
        keys = [(str(found.table), cell("; ".join(found.keys))) for found in wrong]
        parts += ["### The first rows that differ", *(f"**{name}**: {named}" for name, named in keys)]
    return "\n\n".join(parts)


def publish_replay(reports: Sequence[ReplayReport]) -> None:
    """Publishes the outcome of replayed messages."""
    create_markdown_artifact(render_replay(reports), key="replay-quarantine", description="Outcome of the last replay.")


def render_replay(reports: Sequence[ReplayReport]) -> str:
    """Returns the page of a replay."""
    if not reports:
        return "## Replayed messages\n\nNothing was rejected."
    head = ("table", "replayed", "superseded", "rejected", "seconds")
    rows = [
        (str(r.table), f"{r.replayed:,}", f"{r.superseded:,}", f"{r.rejected:,}", f"{r.seconds:.1f}") for r in reports
    ]
    return f"## Replayed messages\n\n{table(head, rows)}\n\n{_REPLAY_LEGEND}"


def publish_build(nodes: Sequence[DbtNode], cost: Cost) -> None:
    """Publishes what a dbt run built and tested."""
    create_markdown_artifact(
        render_build(nodes, cost), key="build-marts", description="What the last dbt run built and tested."
    )


def render_build(nodes: Sequence[DbtNode], cost: Cost) -> str:
    """Returns the page of a dbt run: failures first, then every model."""
    models = [node for node in nodes if node.kind == "model"]
    checks = [node for node in nodes if node.kind in ("test", "unit_test")]
    failed = [node for node in nodes if node.failed]
    summary = f"{counted(len(models), 'model')} and {counted(len(checks), 'test')}; {len(failed)} failed or skipped."
    parts = ["## Marts", summary]
    if failed:
        parts += ["### Failed", table(("name", "message"), [(n.name, n.message or n.status) for n in failed])]
    rows = [(node.name, node.status, f"{node.seconds:.1f}") for node in models]
    return "\n\n".join([*parts, "### Models", table(("model", "result", "seconds"), rows), render_cost(cost)])


def render_cost(cost: Cost) -> str:
    """Returns what a run took."""
    return (
        f"This run took {cost.seconds:.1f} s and {cost.cpu_seconds:.1f} s of CPU, with a peak of "
        f"{cost.peak_bytes / 1e6:.0f} MB of memory."
    )


def render_moment(moment: datetime) -> str:
    """Returns a moment in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def render_span(span: timedelta) -> str:
    """Returns a span in words."""
    minutes, seconds = divmod(max(0, int(span.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _row(name: TableName, outcome: MergeReport | BaseException) -> tuple[str, ...]:
    if isinstance(outcome, TablePaused):
        return str(name), "**paused**", "", "", ""
    if isinstance(outcome, BaseException):
        return str(name), f"**failed**: {type(outcome).__name__}", "", "", ""
    return str(name), f"{outcome.changes:,}", f"{outcome.rejected:,}", f"{outcome.batch}", f"{outcome.seconds:.1f}"
