"""Silver compared with its source."""

from typing import Annotated

from pydantic import Field

from connectors.quality.reports import TableComparison
from connectors.settings import load_settings
from flows.drain_cdc import drain_cdc
from flows.served import flow
from tasks.artifacts import publish_reconciliation
from tasks.events import emit_differing
from tasks.quality import drained_batch, mark_source, reconcile_source, require_equal


def _run_name() -> str:
    return f"reconcile {load_settings().cdc.source}"


@flow(name="reconcile-tables", flow_run_name=_run_name)
def reconcile_tables(
    tables: Annotated[list[str], Field(min_length=1)] = ["*.*"],  # noqa: B006 # Prefect copies it
    drain: bool = True,
) -> list[TableComparison]:
    """Compares every silver table with its source table, row by row, by checksums; fails if anything differs.

    Rows that are written to the source while it compares count as differences: let it run at a quiet hour.

    Args:
        tables: Tables, as `schema.table` patterns with `*` and `?`.
        drain: First drain all that is committed when the run starts. Without it, what is not drained yet differs.
    """
    settings = load_settings()
    # A table that can't be merged must not hide how the others are.
    drained = drain_cdc(mark_source(settings), return_state=True) if drain else None
    batch = drained_batch(settings)
    comparisons = reconcile_source(settings, tables)
    publish_reconciliation(settings.cdc.source, comparisons)
    emit_differing(settings.cdc.source, comparisons)
    require_equal(settings, comparisons, batch=batch if drain else None)
    if drained is not None:
        drained.result()
    return comparisons
