"""A moment of the source as a transaction sees it: which changes were committed by then."""

from dataclasses import dataclass
from typing import Self

_XIDS = 2**32


@dataclass(frozen=True)
class SourceMoment:
    """What a snapshot of PostgreSQL sees, by transaction ids; exact also where commits and snapshot are close together.

    Attributes:
        next_transaction: The first id that had not been given out.
        running: Ids that had been given out, and were not ended.
    """

    next_transaction: int
    running: frozenset[int]

    @classmethod
    def parse(cls, snapshot: str) -> Self:
        """Reads what `pg_current_snapshot()` returns: `xmin:xmax:xid,xid`."""
        _, xmax, running = snapshot.split(":")
        return cls(int(xmax), frozenset(int(xid) for xid in running.split(",") if xid))

    def does_not_see(self, column: str) -> str:
        """Returns the condition, in DuckDB, that a transaction was not ended then.

        Args:
            column: The lower 32 bits of its id, as change events carry it.
        """
        running = ", ".join(str(xid % _XIDS) for xid in sorted(self.running)) or "NULL"
        ahead = f"(({column} - {self.next_transaction % _XIDS} + {_XIDS}) % {_XIDS})"
        # Ids wrap around: one that is ahead by less than half of them came later.
        return f"({ahead} < {_XIDS // 2} OR coalesce({column} IN ({running}), FALSE))"
