"""What a merge needs of an engine. Decoding, ordering and folding are the same SQL on the work tables of each."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from connectors.changes.columns import Column
from connectors.changes.decode import Messages
from connectors.changes.low_watermark import LowWatermark
from connectors.changes.workspace import MergeWorkspace, WorkTable
from connectors.lake.silver.progress import SilverProgress
from connectors.lake.silver.table import SilverTable


class MergeEngine(Protocol):
    """Reads bronze, finds stored rows and commits, for merges into silver tables."""

    def prepare(self, silver: SilverTable) -> None:
        """Gives silver the columns that its contract gained.

        Raises:
            CommitConflict: Another merge committed first.
            ContractMismatch: Silver has columns that are not the contract's.
        """
        ...

    def workspace(self, silver: SilverTable) -> AbstractContextManager[MergeWorkspace]:
        """Opens empty work tables for one merge."""
        ...

    def decoded(self, work: MergeWorkspace, silver: SilverTable, messages: Messages) -> str:
        """Returns a query, for the work tables, of messages of bronze decoded into typed changes."""
        ...

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
        ...

    def quarantine(self, work: MergeWorkspace, silver: SilverTable, messages: Messages) -> int:
        """Copies the messages in `rejected` from bronze to the quarantine; returns how many are new.

        Raises:
            CommitConflict: Another merge committed first.
        """
        ...

    def commit(
        self, work: MergeWorkspace, silver: SilverTable, *, low_watermark: LowWatermark | None, progress: SilverProgress
    ) -> None:
        """Commits rows and progress at once: `folded`, or `changes` where the table has no primary key.

        Raises:
            CommitConflict: Another merge committed first.
        """
        ...
