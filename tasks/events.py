"""Events that runs emit, under stable names, for automations (docs/observability.md)."""

from collections.abc import Mapping, Sequence
from typing import Any

from prefect.events import emit_event

from connectors.errors import CaptureStopped, TablePaused
from connectors.postgres.identifiers import TableName
from connectors.quality.reports import TableComparison

TABLE_PAUSED = "lakehouse.table.paused"
ROWS_MOVED = "lakehouse.rows.moved"
TABLES_DIFFER = "lakehouse.tables.differ"
CAPTURE_STOPPED = "lakehouse.capture.stopped"


def emit_paused(source: str, paused: Mapping[TableName, TablePaused]) -> None:
    """Emits why each paused table is paused, and the command that resumes it."""
    for table, error in paused.items():
        emit_event(
            TABLE_PAUSED,
            resource={"prefect.resource.id": f"lakehouse.silver.{source}.{table}", "prefect.resource.name": str(table)},
            payload={"reason": error.message, "command": error.command},
        )


def emit_moved(source: str, changes: Mapping[TableName, int]) -> None:
    """Emits that a drain changed what readers see, if it did."""
    if changes:
        _emit(ROWS_MOVED, source, {"changes": {str(table): count for table, count in changes.items()}})


def emit_stopped(source: str, stopped: CaptureStopped | None) -> None:
    """Emits why changes of a source come no more, if they do not."""
    if stopped is not None:
        _emit(CAPTURE_STOPPED, source, {"reason": stopped.message, "fix": stopped.hint})


def emit_differing(source: str, comparisons: Sequence[TableComparison]) -> None:
    """Emits which tables differ from their source, if any does."""
    mismatches = {str(found.table): found.mismatches for found in comparisons if found.mismatches}
    if mismatches:
        _emit(TABLES_DIFFER, source, {"mismatches": mismatches})


def _emit(event: str, source: str, payload: dict[str, Any]) -> None:
    resource = {"prefect.resource.id": f"lakehouse.source.{source}", "prefect.resource.name": source}
    emit_event(event, resource=resource, payload=payload)
