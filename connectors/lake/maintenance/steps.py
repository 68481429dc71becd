"""What a step of maintenance did, or would do."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["trim", "purge", "compact", "sort", "vacuum", "log"]


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        kind: Old messages were trimmed, or soft-deleted rows purged; small files were merged into larger ones; rows
            were sorted so that files hold ranges; files that no version needs, or entries of the log, were deleted.
        reason: Why it is worth it.
        count: How many files, entries, messages or rows it takes away.
        size: Their bytes, as far as known.
    """

    kind: Kind
    reason: str
    count: int
    size: int
