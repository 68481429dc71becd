"""A backfill: which partitions of a range are missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import uuid4

from connectors.backfill import run
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

    def plan(self, *, force: bool = False) -> list[Partition]:
        """Records what is to be done, and returns it: those last that another run seems to be at."""
        return self.missing(self.ledger.plan(self.partitions, force=force))

    def missing(self, entries: Mapping[str, Entry | None], *, force: bool = False) -> list[Partition]:
        """The partitions that are not done; with `force` all of them."""
        open_ = [p for p in self.partitions if force or not _is(entries[p.key], State.DONE)]
        return sorted(open_, key=lambda p: _is(entries[p.key], State.RUNNING))

    def parallel(self, wanted: int) -> int:
        """How many partitions may go on at a time, of those wanted."""
        return wanted if self.target.at_once is None else min(wanted, self.target.at_once)


@dataclass(frozen=True)
class Plan:
    """What a run of a backfill does.

    Attributes:
        partitions: Those of the range.
        missing: Those of them that are to be run, in order.
        parallel: How many at a time.
    """

    partitions: tuple[Partition, ...]
    missing: tuple[Partition, ...]
    parallel: int


def open_ledger(settings: Settings, target: str) -> Ledger:
    """Opens the ledger of a target."""
    uri = LakeLayout.of(settings).backfills
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


def plan_partitions(
    settings: Settings, target: str, *, days: tuple[date | None, date | None], size: Size, parallel: int, force: bool
) -> Plan:
    """Records which partitions of a range are to be run.

    Args:
        settings: The source and the lake.
        target: Name of the target.
        days: Start and end date (exclusive) of the range; None as in `open_backfill`.
        size: Length of a partition.
        parallel: How many partitions may run at a time.
        force: Also those that are done.

    Raises:
        ConfigurationError: There is no such target, or no such range of it.
        CommitConflict: Other writers kept committing first.
    """
    since, until = days
    backfill = open_backfill(settings, target, since=since, until=until, size=size)
    return Plan(backfill.partitions, tuple(backfill.plan(force=force)), backfill.parallel(parallel))


def run_partition(settings: Settings, target: str, key: str) -> Entry:
    """Runs one partition of a target, in this process; see `connectors.backfill.run.run_partition`."""
    opened = open_target(settings, target)
    return run.run_partition(open_ledger(settings, target), opened, opened.partition(key), run=str(uuid4()))
