"""The low watermark of a table: the position below which none of its rows is left.

A truncation sets it, and so does a snapshot that read the whole table: rows that were there before, and that it did
not see, were deleted while nobody captured. A restarted snapshot also reverses what its first attempt saw.
"""

from dataclasses import dataclass
from datetime import datetime

from connectors.changes.order import BEGINNING, Position, is_below
from connectors.changes.workspace import MergeWorkspace


@dataclass(frozen=True)
class LowWatermark:
    """What took rows away, and when.

    Attributes:
        position: Rows strictly below it are gone.
        at: When the source did it, if an event said so.
    """

    position: Position
    at: datetime | None = None

    @property
    def op(self) -> str:
        """What rows that it took away say of their last change: truncated, or not seen by a snapshot."""
        return "t" if self.position.lsn else "r"

    @property
    def lsn(self) -> int:
        """LSN of that last change."""
        return self.position.lsn or self.position.rank


def find_low_watermark(work: MergeWorkspace) -> LowWatermark | None:
    """Returns the highest low watermark that `changes` sets; None if none.

    A snapshot is complete with its last row; with the first change after it, where the table was empty.
    """
    rows = work.connection.execute("""
SELECT _cdc_epoch, _cdc_prev_commit_lsn, _cdc_lsn, 1 AS rank, _cdc_committed_at FROM changes
WHERE _cdc_op = 't' AND reason IS NULL
UNION ALL
SELECT _cdc_epoch, 0, 0, _cdc_lsn - 1, _cdc_committed_at FROM changes
WHERE _cdc_op = 'r' AND ends_snapshot AND _cdc_epoch IS NOT NULL AND _cdc_prev_commit_lsn = 0 AND _cdc_lsn > 0
UNION ALL
SELECT _cdc_epoch, 0, 0, 0, min(_cdc_committed_at) FROM changes
WHERE _cdc_op <> 'r' AND _cdc_epoch IS NOT NULL GROUP BY _cdc_epoch
ORDER BY 1 DESC, 2 DESC, 3 DESC, 4 DESC LIMIT 1
""").fetchall()
    return LowWatermark(Position(*rows[0][:4]), rows[0][4]) if rows else None


def before_attempt(*, epoch: int, lsn: int) -> Position:
    """The low watermark that the last row of a table sets, as the attempt at an LSN to take a first snapshot reads it.

    An LSN of zero stands for one that read no row of any table.
    """
    return BEGINNING._replace(epoch=epoch, rank=max(lsn - 1, 0))


def behind_attempt(*, epoch: int, lsn: int) -> Position:
    """The low watermark of a table that was empty in the attempt after the one at an LSN: no row of any is left.

    What was deleted between two attempts is not streamed.
    """
    return BEGINNING._replace(epoch=epoch, rank=lsn + 1)


def drop_below(work: MergeWorkspace, low_watermark: Position) -> None:
    """Takes truncations, and changes that lie below the low watermark, out of `changes`."""
    work.delete("changes", f"_cdc_op = 't' OR {is_below('changes', low_watermark)}")
