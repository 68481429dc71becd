"""Silver compared with its source."""

from typing import Annotated

from prefect.runtime import flow_run
from pydantic import Field

from connectors.postgres.lsn import format_lsn
from connectors.quality.reports import TableComparison
from connectors.settings import load_settings
from flows.drain_cdc import drain_cdc
from flows.outcome import ended
from flows.run_names import of_tables, timed
from flows.served import flow
from tasks.artifacts import publish_reconciliation
from tasks.events import emit_differing
from tasks.quality import drained_batch, mark_source, reconcile_source, require_equal
from tasks.summaries import summarise_reconciliation

_ALL = ["*.*"]


def _run_name() -> str:
    return timed("reconcile") if flow_run.parameters["tables"] == _ALL else of_tables("reconcile")


@flow(name="reconcile-tables", flow_run_name=_run_name)
def reconcile_tables(
    tables: Annotated[list[str], Field(min_length=1)] = _ALL,  # Prefect copies it
    drain: bool = True,
) -> list[TableComparison]:
    """Compares silver tables with their source tables by checksums of all rows; fails if any row differs.

    Rows that are written to the source during the comparison count as differences: run it at a quiet hour.

    Args:
        tables: Tables, as `schema.table` patterns with `*` and `?`.
        drain: First drain everything committed when the run starts. Without it, changes not drained yet differ.
    """
    settings = load_settings()
    # A table that can't be merged must not hide how the others are.
    drained = drain_cdc(format_lsn(mark_source(settings)), return_state=True) if drain else None
    batch = drained_batch(settings)
    comparisons = reconcile_source(settings, tables)
    publish_reconciliation(settings.cdc.source, comparisons)
    emit_differing(settings.cdc.source, comparisons)

    def result() -> list[TableComparison]:
        require_equal(settings, comparisons, batch=batch if drain else None)
        if drained is not None:
            drained.result()
        return comparisons

    return ended(result, summarise_reconciliation(comparisons))
