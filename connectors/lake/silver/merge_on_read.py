"""Merge on read: what a merge of a table's pending changes would write, without writing it.

The same steps, and the same SQL, as a merge: only its commit is another one.
"""

from collections.abc import Sequence

import pyarrow as pa

from connectors.changes.decode import Messages
from connectors.changes.low_watermark import LowWatermark
from connectors.changes.markers import Marker
from connectors.changes.workspace import MergeWorkspace
from connectors.lake.bronze import BronzeFile
from connectors.lake.engines.duckdb import DuckDBEngine
from connectors.lake.silver.history import read_images
from connectors.lake.silver.merge import SilverMerge
from connectors.lake.silver.progress import SilverProgress
from connectors.lake.silver.schema import table_paused
from connectors.lake.silver.table import SilverTable
from connectors.lake.silver.upsert import newer_sql
from connectors.lake.views import Overlay


def read_overlay(
    silver: SilverTable, files: Sequence[BronzeFile], *, up_to_batch: int, through: Marker | None = None
) -> Overlay | None:
    """Returns what the pending changes of a table make of it.

    Args:
        silver: The table.
        files: The files of bronze that hold its pending changes; all are folded at once.
        up_to_batch: The last batch to read.
        through: Leave what was committed after this marker: its order is not known yet.

    Returns:
        None: silver has to be merged first, as its rows are still being read, or it lacks columns.

    Raises:
        ContractMismatch: The events' columns, or silver's own, are not the contract's: the table is paused.
    """
    if silver.baseline.is_pending or silver.awaits_resync or silver.lacks_columns:
        return None
    reading = _Reading()
    SilverMerge(silver, reading).merge_changes(files, up_to_batch=up_to_batch, through=through)
    return reading.overlay


class _Reading(DuckDBEngine):
    """A merge engine that writes nothing; its commit makes an overlay."""

    overlay: Overlay | None = None

    def prepare(self, silver: SilverTable) -> None:
        other = set(silver.table.schema().to_arrow().names) ^ set(silver.schema.names)
        if other:
            raise table_paused(silver.contract, f"silver has other columns than the contract: {', '.join(other)}")

    def quarantine(self, work: MergeWorkspace, silver: SilverTable, messages: Messages) -> int:  # noqa: ARG002
        return 0

    def commit(
        self, work: MergeWorkspace, silver: SilverTable, *, low_watermark: LowWatermark | None, progress: SilverProgress
    ) -> None:
        key = silver.contract.key
        rows = self._newer(work, silver) if key else read_images(work, silver, low_watermark=low_watermark)
        below = None if low_watermark is None else low_watermark.position
        self.overlay = Overlay(rows, key, below, progress.batch)

    def _newer(self, work: MergeWorkspace, silver: SilverTable) -> pa.Table:
        """The rows of `folded` that are newer than silver's, with the values that they leave as they were there.

        A deleted row has no values that anybody reads.
        """
        columns = work.columns
        self.read_stored(
            work, silver, keys=f"SELECT {columns.keys} FROM folded", into="stored_values", values=columns.toastable
        )
        query = newer_sql(columns, values=columns.toastable)
        return work.connection.sql(query).to_arrow_table().select(silver.schema.names).cast(silver.schema)
