"""What a run leaves for people to look at: pages in the Prefect UI, written for somebody who has not read the code."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from prefect.artifacts import create_markdown_artifact

from connectors.cdc.reports import MergeReport, RebuildReport, ReplayReport
from connectors.cdc.sync import SyncReport
from connectors.postgres.identifiers import TableName
from connectors.quality.reports import SourceLag, TableComparison, TableState
from tasks.cost import Cost

_LEGEND = """\
- **changes**: row changes applied to the table, or kept in its history.
- **rejected**: messages that could not be read; they are kept, with the reason, in the lake's quarantine.
- **up to batch**: number of the last portion of the change log that the table now shows.
"""

_REPLAY_LEGEND = """\
- **replayed**: messages that the table shows now.
- **superseded**: messages whose place something newer has taken.
- **rejected**: messages that still can't be read.
"""


@dataclass(frozen=True)
class DbtNode:
    """What came of one model or test."""

    kind: str
    name: str
    status: str
    seconds: float
    message: str | None

    @property
    def failed(self) -> bool:
        """Whether it did not do what it should."""
        return self.status not in ("success", "pass", "warn", "no-op")


def publish_drain(report: SyncReport, cost: Cost) -> None:
    """Shows what a run moved, per table, and what it cost."""
    source = report.drained.source
    create_markdown_artifact(
        render_drain(report, cost),
        key=f"drain-{source.replace('_', '-')}",
        description=f"What the last run moved from {source} to the lake.",
    )


def render_drain(report: SyncReport, cost: Cost) -> str:
    """Writes the page of a drain, in Markdown."""
    drained, checked, outcomes = report.drained, report.checked, report.outcomes
    end = "" if drained.through_lsn == 0 else f", through LSN {format_lsn(drained.through_lsn)}"
    moved = (
        f"{drained.messages:,} messages of the stream went to the change log (bronze), "
        f"in {drained.batches:,} batches and {drained.seconds:.1f} s{end}."
    )
    parts = [f"## Changes of `{drained.source}`", moved]
    if outcomes:
        head = ("table", "changes", "rejected", "up to batch", "seconds")
        parts += [_table(head, [_row(table, outcome) for table, outcome in sorted(outcomes.items())]), _LEGEND]
    else:
        parts.append("Every table was up to date already.")
    if checked.dropped:
        parts.append(f"Gone from the source: {', '.join(map(str, checked.dropped))}. Register it again to end that.")
    if checked.followed:
        changes = [(str(table), "; ".join(map(str, found))) for table, found in sorted(checked.followed.items())]
        parts += ["Tables whose definition changed, and silver followed:", _table(("table", "change"), changes)]
    if report.resolved:
        head = ("table", "what came of it", "why", "rows", "seconds")
        rows = [(str(s.table), s.outcome, s.why, f"{s.rows:,}", f"{s.seconds:.1f}") for s in report.resolved]
        parts += ["Tables whose definition changed were compared with their source:", _table(head, rows)]
    parts.append(_render_cost(cost))
    return "\n\n".join(parts)


def publish_freshness(source: str, states: Sequence[TableState], lag: SourceLag) -> None:
    """Shows of what time the tables are, and how far capturing is behind."""
    create_markdown_artifact(
        render_freshness(source, states, lag, now=datetime.now(UTC)),
        key=f"freshness-{source.replace('_', '-')}",
        description=f"Of what time the tables of {source} are, and how far capturing is behind.",
    )


def render_freshness(source: str, states: Sequence[TableState], lag: SourceLag, *, now: datetime) -> str:
    """Writes the page of freshness and lag, in Markdown; the freshest table first."""
    head = ("table", "rows", "newest change (UTC)", "age", "version")
    rows = []
    for state in sorted(states, key=lambda s: (s.newest_change is None, now - (s.newest_change or now), s.table)):
        newest, age = "never", ""
        if state.newest_change is not None:
            newest, age = _moment(state.newest_change), _span(now - state.newest_change)
        rows.append((str(state.table), f"{state.rows:,}", newest, age, f"{state.version}"))
    legend = (
        "**age** is that of the newest change which the table shows. A table that nobody changes grows old and is "
        "right all the same: what counts is that no change waits, which is what the first lines tell."
    )
    parts = [f"## Freshness of `{source}`", f"As of {_moment(now)} UTC.", _render_lag(lag), _table(head, rows), legend]
    return "\n\n".join(parts)


def _render_lag(lag: SourceLag) -> str:
    if lag.behind_bytes is None:
        return "**The source is not captured**: it has no replication slot."
    if lag.retained_bytes is None:
        return "**The server no longer keeps the log that is to be read next**: changes are lost; register it anew."
    state = (
        f"Capturing is behind the source by {lag.behind_bytes / 1e6:.1f} MB of its log, and the server keeps "
        f"{lag.retained_bytes / 1e6:.1f} MB of it on its disk until it is read."
    )
    return state if lag.reading else f"**Nothing reads the source's log now**: is Kafka Connect up? {state}"


def publish_rebuild(verb: str, reports: Sequence[RebuildReport]) -> None:
    """Shows which tables were made anew, and how much that changed."""
    create_markdown_artifact(
        render_rebuild(reports), key=f"{verb}-tables", description=f"What the last {verb} of tables came to."
    )


def render_rebuild(reports: Sequence[RebuildReport]) -> str:
    """Writes the page of tables that were made anew, in Markdown."""
    head = ("table", "rows", "rows that only the old or the new table had", "seconds")
    rows = [(str(r.table), f"{r.rows:,}", f"{r.differing:,}", f"{r.seconds:.1f}") for r in reports]
    return f"## Tables made anew\n\n{_table(head, rows)}"


def publish_reconciliation(source: str, comparisons: Sequence[TableComparison]) -> None:
    """Shows which tables equal their source, and the first keys that do not."""
    create_markdown_artifact(
        render_reconciliation(source, comparisons),
        key=f"reconcile-{source.replace('_', '-')}",
        description=f"Whether silver equals {source}, table by table.",
    )


def render_reconciliation(source: str, comparisons: Sequence[TableComparison]) -> str:
    """Writes the page of a comparison, in Markdown: the verdict first, then every table, then the keys that differ."""
    wrong = [found for found in comparisons if found.mismatches]
    verdict = f"{len(wrong)} of {len(comparisons)} tables differ." if wrong else "Every table equals its source."
    head = ("table", "rows in the source", "rows in silver", "rows that differ")
    rows = [(str(c.table), f"{c.source_rows:,}", f"{c.silver_rows:,}", f"{c.mismatches:,}") for c in comparisons]
    parts = [f"## Silver and `{source}`", verdict, _table(head, rows)]
    if wrong:
        keys = [(str(found.table), _cell("; ".join(found.keys))) for found in wrong]
        parts += ["### The first rows that differ", *(f"**{table}**: {named}" for table, named in keys)]
    return "\n\n".join(parts)


def publish_replay(reports: Sequence[ReplayReport]) -> None:
    """Shows what became of rejected messages."""
    create_markdown_artifact(
        render_replay(reports), key="replay-quarantine", description="What became of messages that were tried again."
    )


def render_replay(reports: Sequence[ReplayReport]) -> str:
    """Writes the page of messages that were tried again, in Markdown."""
    if not reports:
        return "## Messages tried again\n\nNothing was rejected."
    head = ("table", "replayed", "superseded", "rejected", "seconds")
    rows = [
        (str(r.table), f"{r.replayed:,}", f"{r.superseded:,}", f"{r.rejected:,}", f"{r.seconds:.1f}") for r in reports
    ]
    return f"## Messages tried again\n\n{_table(head, rows)}\n\n{_REPLAY_LEGEND}"


def publish_build(nodes: Sequence[DbtNode], cost: Cost) -> None:
    """Shows what a dbt run built and tested."""
    create_markdown_artifact(
        render_build(nodes, cost), key="build-marts", description="What the last dbt run built and tested."
    )


def render_build(nodes: Sequence[DbtNode], cost: Cost) -> str:
    """Writes the page of a dbt run, in Markdown: what failed first, then every model."""
    models = [node for node in nodes if node.kind == "model"]
    checks = [node for node in nodes if node.kind in ("test", "unit_test")]
    failed = [node for node in nodes if node.failed]
    summary = f"{len(models)} models and {len(checks)} checks on them; {len(failed)} failed or were skipped."
    parts = ["## Marts", summary]
    if failed:
        parts += ["### Failed", _table(("name", "what happened"), [(n.name, n.message or n.status) for n in failed])]
    rows = [(node.name, node.status, f"{node.seconds:.1f}") for node in models]
    return "\n\n".join([*parts, "### Models", _table(("model", "result", "seconds"), rows), _render_cost(cost)])


def format_lsn(lsn: int) -> str:
    """Writes a position as PostgreSQL does: `0/16B3748`."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def _render_cost(cost: Cost) -> str:
    return (
        f"This run took {cost.seconds:.1f} s, computed for {cost.cpu_seconds:.1f} s, and had "
        f"{cost.peak_bytes / 1e6:.0f} MB of memory at its peak."
    )


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _span(span: timedelta) -> str:
    minutes, seconds = divmod(max(0, int(span.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _row(table: TableName, outcome: MergeReport | BaseException) -> tuple[str, ...]:
    if isinstance(outcome, BaseException):
        return str(table), f"**failed**: {type(outcome).__name__}", "", "", ""
    return str(table), f"{outcome.changes:,}", f"{outcome.rejected:,}", f"{outcome.batch}", f"{outcome.seconds:.1f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    # The first column names things, the others count them.
    lines = [head, (":--", *("--:" for _ in head[1:])), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
