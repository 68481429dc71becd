"""What a silver table has reached: the last merged batch, the floor below which no row is left, the last purge."""

from dataclasses import dataclass

from deltalake import DeltaTable

from connectors.changes.order import BEGINNING, Position
from connectors.lake.commits import reached

_BATCH = "v1/batch"
_FLOOR = tuple(f"v1/floor/{name}" for name in Position._fields)
_PURGED = "v1/purged_lsn"


@dataclass(frozen=True)
class SilverProgress:
    """Travels in the commit with the rows.

    Attributes:
        batch: The last bronze batch that is merged.
        floor: Changes strictly below this position are not taken any more.
        purged_lsn: LSN of a marker in the floor's epoch. Of what was committed before it all was merged, and deleted
            rows may be gone: changes of keys that are not there are not taken any more.
    """

    batch: int
    floor: Position
    purged_lsn: int = 0

    @classmethod
    def of(cls, table: DeltaTable) -> "SilverProgress | None":
        """Reads what a table has reached; None before its first commit of ours."""
        batch, purged, *floor = (reached(table, name) for name in (_BATCH, _PURGED, *_FLOOR))
        if batch is None:
            return None
        return cls(batch, Position(*(number or 0 for number in floor)), purged or 0)

    @property
    def purged(self) -> Position:
        """Position below which changes of keys that are not there are not taken any more."""
        return Position(self.floor.epoch, self.purged_lsn, 0, 0)

    def advance(self, batch: int, floor: Position) -> "SilverProgress":
        """Returns what is reached with a batch, and maybe a new floor: all of an earlier epoch lies below that."""
        return SilverProgress(batch, floor, self.purged_lsn if floor.epoch == self.floor.epoch else 0)

    def as_transactions(self) -> dict[str, int]:
        """What a commit carries."""
        return {_BATCH: self.batch, _PURGED: self.purged_lsn, **dict(zip(_FLOOR, self.floor, strict=True))}


START = SilverProgress(0, BEGINNING)
"""Of a table that is merged from the first event on."""

UNREAD = SilverProgress(0, Position(0, 0, 0, 0))
"""Of a table whose rows are still to be read: what arrives of it are changes of rows that nobody knows."""
