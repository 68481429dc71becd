"""Events that runs emit, under names that stay: what automations wait for (docs/observability.md)."""

from collections.abc import Mapping, Sequence
from typing import Any

from prefect.events import emit_event

from connectors.cdc.reports import MergeReport
from connectors.errors import LakehouseError
from connectors.postgres.identifiers import TableName
from connectors.quality.reports import TableComparison

TABLE_HELD = "lakehouse.table.held"
ROWS_MOVED = "lakehouse.rows.moved"
TABLES_DIFFER = "lakehouse.tables.differ"


def emit_held(source: str, held: Mapping[TableName, LakehouseError]) -> None:
    """Tells of each table that is held why, and the command that carries it through."""
    for table, error in held.items():
        emit_event(
            TABLE_HELD,
            resource={"prefect.resource.id": f"lakehouse.silver.{source}.{table}", "prefect.resource.name": str(table)},
            payload={"reason": error.message, "command": error.context["command"]},
        )


def emit_moved(source: str, outcomes: Mapping[TableName, MergeReport | BaseException]) -> None:
    """Tells that a drain changed silver, if it did."""
    changes = {str(t): o.changes for t, o in outcomes.items() if isinstance(o, MergeReport) and o.changes}
    if changes:
        _emit(ROWS_MOVED, source, {"changes": changes})


def emit_differing(source: str, comparisons: Sequence[TableComparison]) -> None:
    """Tells that tables differ from their source, if any does."""
    mismatches = {str(found.table): found.mismatches for found in comparisons if found.mismatches}
    if mismatches:
        _emit(TABLES_DIFFER, source, {"mismatches": mismatches})


def _emit(event: str, source: str, payload: dict[str, Any]) -> None:
    resource = {"prefect.resource.id": f"lakehouse.source.{source}", "prefect.resource.name": source}
    emit_event(event, resource=resource, payload=payload)
