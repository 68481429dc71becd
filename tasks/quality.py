"""Tasks of quality: reconciliation and freshness."""

from collections.abc import Sequence

from connectors.quality.reports import SourceLag, TableComparison, TableState
from connectors.settings import Settings
from tasks.policy import preset_task


@preset_task("mark {settings.cdc.source}", "connectors.cdc.drain:mark_source")
def mark_source(settings: Settings) -> int:
    """Writes a marker to the source's log: a drain through it has drained everything committed before."""


@preset_task("find newest batch of {settings.cdc.source}", "connectors.cdc.drain:drained_batch")
def drained_batch(settings: Settings) -> int:
    """Returns the number of the newest batch in bronze."""


@preset_task("compare {settings.cdc.source}", "connectors.quality.reconcile:reconcile_source")
def reconcile_source(settings: Settings, tables: Sequence[str]) -> list[TableComparison]:
    """Compares silver tables with their source tables."""


@preset_task("require equality of {settings.cdc.source}", "connectors.cdc.reconciliation:require_equal")
def require_equal(settings: Settings, comparisons: Sequence[TableComparison], *, batch: int | None) -> None:
    """Fails if a table differs, and says whether it was written to meanwhile."""


@preset_task("measure {settings.cdc.source}", "connectors.quality.freshness:measure_freshness")
def measure_freshness(settings: Settings) -> tuple[list[TableState], SourceLag]:
    """Measures the freshness of the tables, and the replication lag of the source."""
