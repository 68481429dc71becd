"""The progress of a silver table: the last merged batch, the low watermark, the purge watermark."""

from dataclasses import dataclass

from deltalake import DeltaTable

from connectors.changes.order import Position
from connectors.lake.numbers import Numbers

BATCH = "v1/batch"
"""The number of the last merged batch, in a table's commits."""
_FLOOR = tuple(f"v1/floor/{name}" for name in Position._fields)
_PURGED = "v1/purged_lsn"


@dataclass(frozen=True)
class SilverProgress:
    """Travels in the commit with the rows.

    Attributes:
        batch: The last bronze batch that is merged.
        low_watermark: Changes strictly below this position are ignored.
        purged_lsn: LSN of a marker in the low watermark's epoch: the purge watermark. Everything committed before it
            was merged, and soft-deleted rows may be purged: changes below it of keys that silver lacks are ignored.
    """

    batch: int
    low_watermark: Position
    purged_lsn: int = 0

    @classmethod
    def of(cls, table: DeltaTable) -> "SilverProgress | None":
        """Reads the progress of a table; None before its first merge."""
        numbers = Numbers(table)
        batch, purged, *low_watermark = (numbers.get(name) for name in (BATCH, _PURGED, *_FLOOR))
        if batch is None:
            return None
        return cls(batch, Position(*(number or 0 for number in low_watermark)), purged or 0)

    @property
    def purged(self) -> Position:
        """The purge watermark: changes below it of keys that silver lacks are ignored."""
        return Position(self.low_watermark.epoch, self.purged_lsn, 0, 0)

    def advance(self, batch: int, low_watermark: Position) -> "SilverProgress":
        """Returns the progress after a batch. In a new epoch everything purged lies below the low watermark."""
        same_epoch = low_watermark.epoch == self.low_watermark.epoch
        return SilverProgress(batch, low_watermark, self.purged_lsn if same_epoch else 0)

    def as_transactions(self) -> dict[str, int]:
        """The `txn` actions of a commit."""
        return {BATCH: self.batch, _PURGED: self.purged_lsn, **dict(zip(_FLOOR, self.low_watermark, strict=True))}
