"""The baseline of a silver table: where its first rows come from, and which changes in bronze count."""

from dataclasses import dataclass
from enum import StrEnum

from connectors.changes.markers import NO_MARKER, Marker
from connectors.changes.order import BEGINNING, Position


class BaselineKind(StrEnum):
    """Where the first rows of a silver table come from."""

    SNAPSHOT = "snapshot"
    """From the connector's snapshot, whose rows precede all changes in the stream."""
    PENDING = "pending"
    """From nowhere yet: the snapshot is still to be taken. Nothing is merged until then."""
    RESYNC = "resync"
    """From a snapshot taken while changes kept arriving: its rows are among them in the stream."""


@dataclass(frozen=True)
class Baseline:
    """The start of a silver table.

    Attributes:
        kind: Where its first rows come from.
        batch: Bronze up to this batch does not count.
        position: Changes strictly below it do not count: the first low watermark.
        complete_at: Marker behind which the snapshot had ended.
    """

    kind: BaselineKind
    batch: int
    position: Position
    complete_at: Marker = NO_MARKER

    @classmethod
    def stored(cls, batch: int, *, epoch: int, lsn: int, complete_at: Marker) -> "Baseline":
        """Restores a baseline from the numbers that the contract log keeps of it."""
        if epoch == PENDING.position.epoch:
            return PENDING
        kind = BaselineKind.RESYNC if lsn > 0 else BaselineKind.SNAPSHOT
        return cls(kind, batch, Position(epoch, lsn, 0, 0), complete_at)

    @property
    def is_pending(self) -> bool:
        """The snapshot is still to be taken."""
        return self.kind is BaselineKind.PENDING

    @property
    def is_resync(self) -> bool:
        """The snapshot was taken while changes kept arriving."""
        return self.kind is BaselineKind.RESYNC

    def starts_like(self, other: "Baseline") -> bool:
        """Whether both are of the same snapshot."""
        return (self.kind, self.batch, self.position) == (other.kind, other.batch, other.position)


FIRST_EVENT = Baseline(BaselineKind.SNAPSHOT, 0, BEGINNING)
"""Everything in bronze counts."""

PENDING = Baseline(BaselineKind.PENDING, 0, Position(0, 0, 0, 0))
