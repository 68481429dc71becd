"""An entry of the ledger: the status of one partition."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """How far a partition is."""

    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Entry:
    """One row of the ledger; of a partition the one with the highest number counts.

    Attributes:
        target: Name of the target.
        partition: Key of the partition.
        number: 1, 2, ... per partition.
        state: What it came to be.
        recorded_at: When.
        attempt: How often it was begun.
        start: First moment of the partition; None if it is not a time.
        end: First moment behind it.
        run: Which run began it.
        started_at: When this attempt began.
        ended_at: When it ended.
        lease_until: Until when nobody else may begin it, unless its run says more.
        rows: How many rows the partition has now.
        error: Why it failed.
    """

    target: str
    partition: str
    number: int
    state: State
    recorded_at: datetime
    attempt: int = 0
    start: datetime | None = None
    end: datetime | None = None
    run: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    lease_until: datetime | None = None
    rows: int | None = None
    error: str | None = None

    def is_held(self, now: datetime) -> bool:
        """Whether a run is at it that was alive a moment ago."""
        return self.state is State.RUNNING and self.lease_until is not None and now < self.lease_until

    def is_lost(self, now: datetime) -> bool:
        """Whether the run that was at it has not said anything for too long."""
        return self.state is State.RUNNING and not self.is_held(now)
