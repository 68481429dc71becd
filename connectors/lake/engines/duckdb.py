"""The merge engine of one machine: DuckDB reads and folds, delta-rs commits."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from connectors.changes.columns import Column
from connectors.changes.decode import Messages, decode_sql
from connectors.changes.low_watermark import LowWatermark
from connectors.changes.workspace import MergeWorkspace, WorkTable
from connectors.lake.quarantine import quarantine_rejected
from connectors.lake.silver.history import append_images
from connectors.lake.silver.progress import SilverProgress
from connectors.lake.silver.stored import read_stored
from connectors.lake.silver.table import SilverTable
from connectors.lake.silver.upsert import merge_folded
from connectors.lake.storage import scratch_connection


class DuckDBEngine:
    """Implements `MergeEngine` in this process."""

    def prepare(self, silver: SilverTable) -> None:
        """Gives silver the columns that its contract gained.

        Raises:
            CommitConflict: Another merge committed first.
            ContractMismatch: Silver has columns that are not the contract's.
        """
        silver.adopt_columns()

    @contextmanager
    def workspace(self, silver: SilverTable) -> Iterator[MergeWorkspace]:
        """Opens empty work tables for one merge."""
        with scratch_connection(silver.layout.root) as connection:
            yield MergeWorkspace(connection, silver.columns)

    def decoded(self, work: MergeWorkspace, silver: SilverTable, messages: Messages) -> str:
        """Returns a query, for the work tables, of messages of bronze decoded into typed changes."""
        both_images = not silver.contract.key
        return decode_sql(work.columns, messages, placeholder=silver.placeholder, both_images=both_images)

    def read_stored(
        self,
        work: MergeWorkspace,
        silver: SilverTable,
        *,
        keys: str,
        into: WorkTable = "stored",
        values: Sequence[Column] = (),
    ) -> None:
        """Creates a work table of silver's rows of the keys that a query on the work tables selects."""
        read_stored(work, silver.rows(), keys=keys, into=into, values=values)

    def quarantine(self, work: MergeWorkspace, silver: SilverTable, messages: Messages) -> int:
        """Copies the messages in `rejected` from bronze to the quarantine; returns how many are new.

        Raises:
            CommitConflict: Another merge committed first.
        """
        return quarantine_rejected(work, silver.layout, table=silver.contract.table, messages=messages)

    def commit(
        self, work: MergeWorkspace, silver: SilverTable, *, low_watermark: LowWatermark | None, progress: SilverProgress
    ) -> None:
        """Commits rows and progress at once: `folded`, or `changes` where the table has no primary key.

        Raises:
            CommitConflict: Another merge committed first.
        """
        commit = merge_folded if silver.contract.key else append_images
        commit(work, silver, low_watermark=low_watermark, progress=progress)


DUCKDB = DuckDBEngine()
