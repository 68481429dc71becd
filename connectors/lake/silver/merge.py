"""One merge into one silver table: a slice of bronze becomes one commit of rows and progress."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from connectors.changes.decode import Messages
from connectors.changes.fold import fold_changes
from connectors.changes.low_watermark import LowWatermark, drop_below
from connectors.changes.markers import Marker
from connectors.changes.moment import SourceMoment
from connectors.changes.order import Position
from connectors.changes.workspace import MergeWorkspace
from connectors.failpoints import failpoint
from connectors.lake.bronze import BronzeFile
from connectors.lake.engines.duckdb import DUCKDB
from connectors.lake.engines.protocol import MergeEngine
from connectors.lake.silver.narrow import (
    drop_other_resyncs,
    hold_back,
    narrow,
    require_known_columns,
    strange_shape,
)
from connectors.lake.silver.table import SilverTable
from connectors.lake.silver.upsert import drop_purged, fold_with_stored

_NONE = Messages([], 0, 0)


@dataclass(frozen=True)
class SliceReport:
    """What one merge commit did: change events folded, messages rejected, the batch that silver reached."""

    changes: int
    rejected: int
    up_to_batch: int


@dataclass(frozen=True)
class SilverMerge:
    """Merges into one silver table.

    Attributes:
        silver: The table.
        engine: Where the merge runs.
        seen_by: Merge only changes that this moment of the source saw, and send nothing to quarantine: a trial.
    """

    silver: SilverTable
    engine: MergeEngine = DUCKDB
    seen_by: SourceMoment | None = None

    def merge_resync(self, files: Sequence[BronzeFile], *, after_batch: int, up_to_batch: int) -> None:
        """Merges the rows of a resync from some batches, and no changes.

        They go before all changes: a change can be in bronze before the row that it is of. Progress stays as it is.
        Idempotent.

        Raises:
            CommitConflict: Another merge committed first.
            ContractMismatch: The columns of the rows, or of silver, are not the contract's: the table is paused.
        """
        self.engine.prepare(self.silver)
        with self.engine.workspace(self.silver) as work:
            self._read(work, Messages([f.path for f in files], after_batch, up_to_batch))
            work.delete("changes", "_cdc_op IS DISTINCT FROM 'r'")
            require_known_columns(self.silver.contract, strange_shape(work))
            # The merge of the changes sends them to quarantine.
            work.delete("changes", "reason IS NOT NULL")
            fold_changes(work)
            self._commit(work, None, up_to_batch=self.silver.batch)

    def merge_changes(
        self,
        files: Sequence[BronzeFile],
        *,
        up_to_batch: int,
        through: Marker | None = None,
        later: Messages = _NONE,
    ) -> SliceReport:
        """Merges the bronze batches after the table's own, up to `up_to_batch`.

        Where the table awaits a resync, its rows are merged already, and this goes on from the baseline.

        Args:
            files: The files of bronze that hold them.
            up_to_batch: The last batch to read.
            through: Leave what was committed after this marker, and stay before its first batch.
            later: The pending messages behind these.

        Raises:
            CommitConflict: Another merge committed first: reload, and see what is left to do.
            ContractMismatch: The columns of the events, or of silver, are not the contract's: the table is paused.
        """
        silver = self.silver
        self.engine.prepare(silver)
        after_batch = silver.baseline.batch if silver.awaits_resync else silver.batch
        messages = Messages([f.path for f in files], after_batch, up_to_batch)
        with self.engine.workspace(silver) as work:
            changes = self._read(work, messages)
            if through is not None and (first := hold_back(work, through)) is not None:
                messages = replace(messages, up_to_batch=first - 1)
            low_watermark = self._find_low_watermark(work)
            if silver.contract.key:
                read = partial(self.engine.read_stored, work, silver)
                drop_purged(work, silver.progress.purged, read_stored=read)
                pending = self.engine.decoded(work, silver, later)
                fold_with_stored(work, silver.baseline, read_stored=read, low_watermark=low_watermark, later=pending)
            rejected = 0 if self.seen_by is not None else self.engine.quarantine(work, silver, messages)
            failpoint("quarantined")
            self._commit(work, low_watermark, up_to_batch=messages.up_to_batch)
        failpoint("silver-committed")
        return SliceReport(changes, rejected, messages.up_to_batch)

    def raise_low_watermark(self, position: Position) -> None:
        """Deletes the rows below a position, behind which everything that the source had was read and merged.

        Raises:
            CommitConflict: Another merge committed first: reload, and try again.
        """
        self.engine.prepare(self.silver)
        with self.engine.workspace(self.silver) as work:
            self._read(work, _NONE)
            if self.silver.contract.key:
                fold_changes(work)
            self._commit(work, LowWatermark(position), up_to_batch=self.silver.batch)

    def _read(self, work: MergeWorkspace, messages: Messages) -> int:
        """Creates `changes`; returns how many events there are."""
        work.create("changes", self.engine.decoded(work, self.silver, messages))
        drop_other_resyncs(work, self.silver.baseline)
        if self.seen_by is not None:
            work.delete("changes", f"_cdc_op IS DISTINCT FROM 'r' AND {self.seen_by.does_not_see('transaction_id')}")
        return work.count("changes")

    def _find_low_watermark(self, work: MergeWorkspace) -> LowWatermark | None:
        """Moves unreadable messages to `rejected`, drops changes below the low watermark; returns a new one."""
        silver = self.silver
        narrowed = narrow(work, silver.baseline)
        require_known_columns(silver.contract, narrowed.strange_shape)
        found = narrowed.low_watermark
        if silver.awaits_resync:
            work.delete("changes", "_cdc_op = 'r'")
            resync = LowWatermark(silver.baseline.position)
            found = resync if found is None else max(found, resync, key=lambda mark: mark.position)
        reached = silver.progress.low_watermark
        new = found if found is not None and found.position > reached else None
        drop_below(work, reached if new is None else new.position)
        return new

    def _commit(self, work: MergeWorkspace, low_watermark: LowWatermark | None, *, up_to_batch: int) -> None:
        silver = self.silver
        position = silver.progress.low_watermark if low_watermark is None else low_watermark.position
        progress = silver.progress.advance(up_to_batch, position)
        self.engine.commit(work, silver, low_watermark=low_watermark, progress=progress)
        silver.progress = progress
