"""What a silver table has reached: the last merged batch, and the floor below which none of its rows is left."""

from dataclasses import dataclass

from deltalake import DeltaTable

from connectors.changes.order import BEGINNING, Position
from connectors.lake.commits import reached

_BATCH = "v1/batch"
_FLOOR = tuple(f"v1/floor/{name}" for name in Position._fields)


@dataclass(frozen=True)
class SilverProgress:
    """Travels in the commit with the rows.

    Attributes:
        batch: The last bronze batch that is merged.
        floor: Changes strictly below this position are not taken any more.
    """

    batch: int
    floor: Position

    @classmethod
    def of(cls, table: DeltaTable) -> "SilverProgress | None":
        """Reads what a table has reached; None before its first commit of ours."""
        batch, *floor = (reached(table, name) for name in (_BATCH, *_FLOOR))
        if batch is None:
            return None
        return cls(batch, Position(*(number or 0 for number in floor)))

    def as_transactions(self) -> dict[str, int]:
        """What a commit carries."""
        return {_BATCH: self.batch, **dict(zip(_FLOOR, self.floor, strict=True))}


START = SilverProgress(0, BEGINNING)
"""Of a table that is merged from the first event on."""

UNREAD = SilverProgress(0, Position(0, 0, 0, 0))
"""Of a table whose rows are still to be read: what arrives of it are changes of rows that nobody knows."""
