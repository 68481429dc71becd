"""Artifacts of batch loads: what a load brought, and how fresh its tables are."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from prefect.artifacts import create_markdown_artifact

from connectors.loads.reports import LoadReport, LoadStatus
from connectors.postgres.identifiers import TableName
from tasks.artifacts import render_cost, render_moment, render_span
from tasks.cost import Cost
from tasks.markdown import table

_LEGEND = """\
- **rows**: rows that this run wrote.
- **rejected**: rows and objects that can't be read; the quarantine keeps them, with file and line.
- **read units**: what DynamoDB counted.
"""


def publish_load(source: str, outcomes: Mapping[TableName, LoadReport | Exception], cost: Cost) -> None:
    """Publishes what a load brought into each table, and what it cost."""
    create_markdown_artifact(
        render_load(source, outcomes, cost),
        key=f"load-{source.replace('_', '-')}",
        description=f"What the last load brought from {source} into the lake.",
    )


def render_load(source: str, outcomes: Mapping[TableName, LoadReport | Exception], cost: Cost) -> str:
    """Returns the page of a load."""
    head = ("table", "rows", "rejected", "commits", "MB read", "read units", "new columns", "seconds")
    rows = [_row(name, outcome) for name, outcome in sorted(outcomes.items())]
    parts = [f"## Load of `{source}`", table(head, rows), _LEGEND]
    notes = [note for o in outcomes.values() if isinstance(o, LoadReport) for note in o.notes]
    failed = [(str(name), str(o)) for name, o in sorted(outcomes.items()) if isinstance(o, Exception)]
    if failed:
        parts += ["### Failed", table(("table", "why"), failed)]
    if notes:
        parts.append("\n".join(f"- {note}" for note in notes))
    return "\n\n".join([*parts, render_cost(cost)])


def publish_load_freshness(source: str, states: Sequence[LoadStatus]) -> None:
    """Publishes the freshness of the tables of a source, beside the page of the captured ones."""
    create_markdown_artifact(
        render_load_freshness(source, states, now=datetime.now(UTC)),
        key=f"freshness-{source.replace('_', '-')}",
        description=f"Freshness of the tables of {source}. Renewed by every load.",
    )


def render_load_freshness(source: str, states: Sequence[LoadStatus], *, now: datetime) -> str:
    """Returns the page of freshness."""
    head = ("table", "rows", "new rows came (UTC)", "age when measured", "in quarantine", "Delta version")
    rows = []
    for state in sorted(states, key=lambda s: s.table):
        came, age, version = "never", "", ""
        if state.loaded_at is not None:
            came, age, version = render_moment(state.loaded_at), render_span(now - state.loaded_at), f"{state.version}"
        rows.append((state.table, f"{state.rows:,}", came, age, f"{state.rejected:,}", version))
    return f"## Freshness of `{source}`\n\nMeasured at {render_moment(now)} UTC.\n\n{table(head, rows)}"


def _row(name: TableName, outcome: LoadReport | Exception) -> tuple[str, ...]:
    if isinstance(outcome, Exception):
        return name.name, f"**failed**: {type(outcome).__name__}", "", "", "", "", "", ""
    units = f"{outcome.consumed_capacity:,.1f}" if outcome.consumed_capacity else ""
    counts = (
        f"{outcome.rows:,}",
        f"{outcome.rejected:,}",
        f"{outcome.commits}",
        f"{outcome.read_bytes / 1e6:,.1f}",
        units,
    )
    return name.name, *counts, ", ".join(outcome.new_columns), f"{outcome.seconds:.1f}"
