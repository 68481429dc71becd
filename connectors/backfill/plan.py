"""A backfill: which partitions of a range are missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from connectors.backfill.entry import Entry, State
from connectors.backfill.ledger import Ledger
from connectors.backfill.partitions import Partition, Size
from connectors.backfill.targets import Target, open_target
from connectors.lake.layout import LakeLayout
from connectors.settings import Settings


@dataclass(frozen=True)
class Backfill:
    """A range of a target.

    Attributes:
        name: Name of the target.
        target: The target.
        ledger: What became of its partitions.
        partitions: Those of the range, in order.
    """

    name: str
    target: Target
    ledger: Ledger
    partitions: tuple[Partition, ...]

    def entries(self) -> dict[str, Entry | None]:
        """The newest entry of each partition of the range; None of those that were never planned."""
        known = self.ledger.entries()
        return {partition.key: known.get(partition.key) for partition in self.partitions}

    def plan(self, *, again: bool = False) -> list[Partition]:
        """Records what is to be done, and returns it: those last that another run seems to be at."""
        return self.missing(self.ledger.plan(self.partitions, again=again))

    def missing(self, entries: Mapping[str, Entry | None], *, again: bool = False) -> list[Partition]:
        """The partitions that are not done; with `again` all of them."""
        open_ = [p for p in self.partitions if again or not _is(entries[p.key], State.DONE)]
        return sorted(open_, key=lambda p: _is(entries[p.key], State.RUNNING))

    def parallel(self, wanted: int) -> int:
        """How many partitions may go on at a time, of those wanted."""
        return wanted if self.target.at_once is None else min(wanted, self.target.at_once)


def open_ledger(settings: Settings, target: str) -> Ledger:
    """Opens the ledger of a target."""
    uri = LakeLayout(settings.lake.root, settings.cdc.source).backfills
    return Ledger(uri, target, lease=timedelta(seconds=settings.backfill.lease_seconds))


def open_backfill(
    settings: Settings, name: str, *, since: date | None, until: date | None, size: Size = Size.DAY
) -> Backfill:
    """Opens a range of a target; changes nothing.

    Raises:
        ConfigurationError: There is no such target, or it has no such range.
    """
    target = open_target(settings, name)
    return Backfill(name, target, open_ledger(settings, name), tuple(target.partitions(since, until, size)))


def _is(entry: Entry | None, state: State) -> bool:
    return entry is not None and entry.state is state
