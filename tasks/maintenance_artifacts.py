"""The page of the last maintenance."""

from collections.abc import Mapping

from prefect.artifacts import create_markdown_artifact

from connectors.cdc.reports import MaintenanceReport
from tasks.artifacts import render_cost
from tasks.cost import Cost
from tasks.markdown import table

_LEGEND = """\
- **trim**, **purge**: messages and soft-deleted rows beyond their retention.
- **compact**: small files became larger ones. **sort**: rows were sorted, so that readers can skip files.
- **vacuum**: files were deleted that no version needs. **log**: so were old entries of the table's log.
"""


def publish_maintenance(outcomes: Mapping[str, MaintenanceReport | Exception], cost: Cost, *, dry_run: bool) -> None:
    """Publishes what was, or would be, done to each table, and what it cost."""
    create_markdown_artifact(
        render_maintenance(outcomes, cost, dry_run=dry_run),
        key="maintenance",
        description="What the last maintenance did to the tables of the lake, and why.",
    )


def render_maintenance(outcomes: Mapping[str, MaintenanceReport | Exception], cost: Cost, *, dry_run: bool) -> str:
    """Returns the page."""
    rows = [
        (name, step.kind, step.reason, f"{step.count:,}", f"{step.size / 1e6:,.1f}" if step.size else "")
        for name, report in outcomes.items()
        if isinstance(report, MaintenanceReport)
        for step in report.steps
    ]
    parts = ["## Maintenance that would be done" if dry_run else "## Maintenance"]
    if rows:
        parts += [table(("table", "step", "why", "taken away", "MB"), rows), _LEGEND]
    else:
        parts.append("No step was worth it.")
    failed = [(name, str(error)) for name, error in outcomes.items() if isinstance(error, Exception)]
    if failed:
        parts += ["### Failed", table(("table", "why"), failed)]
    return "\n\n".join([*parts, render_cost(cost)])
