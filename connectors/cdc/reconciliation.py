"""The verdict of a reconciliation, where the source may have been written to meanwhile."""

from collections.abc import Sequence
from functools import partial

from connectors.cdc.drain import moved_since
from connectors.quality import reconcile
from connectors.quality.reports import TableComparison
from connectors.settings import Settings


def require_equal(settings: Settings, comparisons: Sequence[TableComparison], *, batch: int | None) -> None:
    """Does nothing if all tables are equal.

    Args:
        settings: The source, the stream and the lake.
        comparisons: What was compared.
        batch: The newest batch in bronze before the comparison; None if silver was not drained before.

    Raises:
        ReconciliationMismatch: Tables differ. Names them, their first keys, and what to do about each.
    """
    reconcile.require_equal(comparisons, find_moved=None if batch is None else partial(moved_since, settings, batch))
