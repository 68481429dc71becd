"""Targets: what can be backfilled partition by partition."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from connectors.backfill.dbt_models import DbtModel, partitioned_models
from connectors.backfill.partitions import Partition, Size, last_ended, parse_partition, split_range
from connectors.cdc.rebuild import rebuild_checked
from connectors.errors import ConfigurationError
from connectors.lake.contract_log import captured_tables
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings


class Target(Protocol):
    """What `run` makes of a partition depends on its source alone: run twice, it is the same."""

    @property
    def at_once(self) -> int | None:
        """How many partitions may go on at a time; None: any number."""

    def partitions(self, since: date | None, until: date | None, size: Size) -> list[Partition]:
        """The partitions from `since` to before `until`.

        Raises:
            ConfigurationError: It has no such partitions.
        """

    def partition(self, key: str) -> Partition:
        """The partition of this key.

        Raises:
            ConfigurationError: It has none of this key.
        """

    def run(self, partition: Partition) -> int:
        """Replaces what the partition holds, in one transaction; returns how many rows it has now."""


class InTime:
    """A target whose partitions are days, weeks or months of a time zone.

    Args:
        zone: The time zone.
        work: Replaces what a partition holds; returns how many rows it has now.
        at_once: How many partitions may go on at a time; None: any number.
    """

    def __init__(self, zone: ZoneInfo, work: Callable[[Partition], int], *, at_once: int | None = None) -> None:
        self._zone = zone
        self._work = work
        self.at_once = at_once

    def partitions(self, since: date | None, until: date | None, size: Size) -> list[Partition]:
        """Cuts the range; without an end it goes on to the last partition that has ended."""
        if since is None:
            raise ConfigurationError("this target has partitions in time", hint="say since which day")
        ended = last_ended(datetime.now(UTC), size=size, zone=self._zone)
        if until is not None and until > ended:
            raise ConfigurationError(
                f"not every {size} before {until} has ended in {self._zone}",
                hint=f"take {ended} for the end of the range: the first day that is not part of it",
            )
        return split_range(since, ended if until is None else until, size=size, zone=self._zone)

    def partition(self, key: str) -> Partition:
        """Reads the key of a day, a week or a month."""
        return parse_partition(key, self._zone)

    def run(self, partition: Partition) -> int:
        """Does the work."""
        return self._work(partition)


class SilverTables:
    """Silver, rebuilt from bronze by table. Never by date: the rows of a day depend on changes of other days."""

    at_once = None

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def partitions(self, since: date | None, until: date | None, size: Size) -> list[Partition]:  # noqa: ARG002 - the protocol's
        """One of each captured table."""
        if since is not None or until is not None:
            raise ConfigurationError("silver is rebuilt by table, never by date", hint="omit the range")
        return [Partition(str(table)) for table in captured_tables(self._settings, ("*.*",))]

    def partition(self, key: str) -> Partition:
        """The one of a captured table."""
        return Partition(str(self._table(key)))

    def run(self, partition: Partition) -> int:
        """Rebuilds the table."""
        return rebuild_checked(self._settings, self._table(partition.key)).rows

    def _table(self, key: str) -> TableName:
        found = [table for table in captured_tables(self._settings, ("*.*",)) if str(table) == key]
        if not found:
            raise ConfigurationError(f"{key!r} is not a captured table", hint="its name is schema.table")
        return found[0]


def _load(settings: Settings, name: str) -> Target:
    # dlt takes a second to import; only a run that uses it should wait for that.
    from connectors.loads.load import load_days  # noqa: PLC0415

    source, _, table = name.partition(".")
    zone = ZoneInfo(settings.backfill.time_zone)
    return InTime(zone, lambda partition: load_days(settings, source, table, *partition.days), at_once=1)


def _model(settings: Settings, *, name: str, column: str) -> Target:
    model = DbtModel(settings, name, column)
    # A build of gold is a copy that takes the place of the last one: of two at a time, one would be lost.
    return InTime(ZoneInfo(settings.backfill.time_zone), model.replace, at_once=1)


TARGETS: dict[str, Callable[[Settings], Target]] = {"silver": SilverTables}
"""How each target is opened, by name, besides tables that are loaded by day and the models of the dbt project."""


def target_names(settings: Settings) -> list[str]:
    """Returns the names of all targets."""
    return sorted({*TARGETS, *_loaded_by_day(settings), *partitioned_models(settings.dbt.project)})


def _loaded_by_day(settings: Settings) -> list[str]:
    from connectors.loads.status import tables_with_days  # noqa: PLC0415 - as above

    return [f"{table.schema}.{table.name}" for table in tables_with_days(settings)]


def open_target(settings: Settings, name: str) -> Target:
    """Opens a target.

    Raises:
        ConfigurationError: There is none of this name.
    """
    if name in TARGETS:
        return TARGETS[name](settings)
    if "." in name and name in _loaded_by_day(settings):
        return _load(settings, name)
    column = partitioned_models(settings.dbt.project).get(name)
    if column is None:
        raise ConfigurationError(f"there is no target {name!r}", hint=f"one of {', '.join(target_names(settings))}")
    return _model(settings, name=name, column=column)
