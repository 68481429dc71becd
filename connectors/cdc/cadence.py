"""When pending changes are merged: a merge rewrites every file that has a row to change, whether of one row or of many.

Until then readers of the lake's views see them all the same, folded on top.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.postgres.identifiers import TableName
from connectors.postgres.patterns import select
from connectors.settings import CdcSettings, SparkSettings

_SHARE = 0.1
_FEW = 1_000


@dataclass(frozen=True)
class PendingTable:
    """A table of which bronze has more than silver.

    Attributes:
        table: The source table.
        changes: About how many change events are pending.
        rows: Rows that silver has.
        since: When the oldest of them came to bronze; None: it is not changes that silver lacks.
        last_batch: The bronze batch of the newest of them.
        keyed: Whether the table has a primary key.
    """

    table: TableName
    changes: int
    rows: int
    since: datetime | None
    last_batch: int = 0
    keyed: bool = True

    def is_due(self, settings: CdcSettings, now: datetime) -> bool:
        """Whether a merge is worth what it writes, or has waited long enough.

        Columns, resyncs and the first rows of a table never wait.
        """
        if self.since is None or self.rows == 0 or now - self.since >= timedelta(seconds=settings.merge_seconds):
            return True
        return self.changes >= min(settings.slice_rows, max(_FEW, _SHARE * self.rows))

    def is_for_spark(self, settings: SparkSettings) -> bool:
        """Whether the Spark job merges it, and not a scheduled drain; columns and resyncs it leaves to the drain."""
        if self.since is None or not self.keyed:
            return False
        if settings.above_rows is not None and max(self.rows, self.changes) > settings.above_rows:
            return True
        return bool(select(settings.tables, [self.table]))
