"""Days, weeks and months of a time zone: half-open, without a gap or an overlap, also when clocks change."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from connectors.errors import ConfigurationError

_KEY = re.compile(r"(\d{4})-(?:W(?P<week>\d\d)|(?P<month>\d\d)(?:-(?P<day>\d\d))?)")


class Size(StrEnum):
    """How long a partition is."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True)
class Partition:
    """A part of a target that is run on its own.

    Attributes:
        key: Its name within the target: `2026-03-29`, `2026-W13`, `2026-03`, or that of a table.
        start: Its first moment, on the clock of the time zone; None if it is not a time.
        end: The first moment behind it.
    """

    key: str
    start: datetime | None = None
    end: datetime | None = None

    @property
    def days(self) -> tuple[date, date]:
        """Its first day, and the first day behind it.

        Raises:
            ConfigurationError: It is not a time.
        """
        if self.start is None or self.end is None:
            raise ConfigurationError(f"partition {self.key!r} is not a day, week or month")
        return self.start.date(), self.end.date()


def split_range(since: date, until: date, *, size: Size, zone: ZoneInfo) -> list[Partition]:
    """Cuts the days from `since` to before `until` into partitions.

    Raises:
        ConfigurationError: The range is empty, or cuts a partition in two.
    """
    if since >= until:
        raise ConfigurationError(
            f"the range from {since} to {until} is empty", hint="its end is the first day that is not part of it"
        )
    for day in (since, until):
        if (begin := begin_of(day, size)) != day:
            raise ConfigurationError(
                f"{day} does not begin a {size}", hint=f"take {begin} or {_next(begin, size)}, or another size"
            )
    return [_partition(day, size, zone) for day in _begins(since, until, size)]


def parse_partition(key: str, zone: ZoneInfo) -> Partition:
    """Reads a partition's key.

    Raises:
        ConfigurationError: It is none of a day, a week or a month.
    """
    unreadable = ConfigurationError(
        f"{key!r} is not a partition", hint="a day is 2026-03-29, a week 2026-W13, a month 2026-03"
    )
    found = _KEY.fullmatch(key)
    if found is None:
        raise unreadable
    try:
        year, (week, month, day) = int(found[1]), found.group("week", "month", "day")
        if week is not None:
            return _partition(date.fromisocalendar(year, int(week), 1), Size.WEEK, zone)
        size = Size.MONTH if day is None else Size.DAY
        return _partition(date(year, int(month), int(day or 1)), size, zone)
    except ValueError:
        raise unreadable from None


def begin_of(day: date, size: Size) -> date:
    """The first day of the partition that a day is in."""
    if size is Size.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if size is Size.MONTH else day


def last_ended(now: datetime, *, size: Size, zone: ZoneInfo) -> date:
    """The first day of the partition that goes on now: all before it have ended."""
    return begin_of(now.astimezone(zone).date(), size)


def _partition(day: date, size: Size, zone: ZoneInfo) -> Partition:
    return Partition(_key(day, size), _midnight(day, zone), _midnight(_next(day, size), zone))


def _begins(since: date, until: date, size: Size) -> Iterator[date]:
    day = since
    while day < until:
        yield day
        day = _next(day, size)


def _next(day: date, size: Size) -> date:
    if size is Size.MONTH:
        return (day + timedelta(days=31)).replace(day=1)
    return day + timedelta(days=7 if size is Size.WEEK else 1)


def _key(day: date, size: Size) -> str:
    if size is Size.WEEK:
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02}"
    return f"{day:%Y-%m}" if size is Size.MONTH else day.isoformat()


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    # Where a day has no midnight, or two, this is the moment in which it begins: of two the first, and of a skipped
    # hour Python takes the offset before it.
    return datetime.combine(day, time.min, zone)
