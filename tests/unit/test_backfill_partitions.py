"""Days, weeks and months are half-open and leave no gap, whatever clocks do."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.backfill.partitions import Size, begin_of, last_ended, parse_partition, split_range
from connectors.errors import ConfigurationError

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
# Midnights that are skipped or come twice, a day that was left out, half hours.
ODD = ["America/Sao_Paulo", "America/Havana", "Asia/Beirut", "Pacific/Apia", "Australia/Lord_Howe", "Africa/Casablanca"]


def hours(partition):
    return (partition.end.astimezone(UTC) - partition.start.astimezone(UTC)) / timedelta(hours=1)


def days_of(since, until, zone):
    return {p.key: hours(p) for p in split_range(since, until, size=Size.DAY, zone=zone)}


def test_days_are_23_and_25_hours_long_where_clocks_change():
    assert days_of(date(2026, 3, 28), date(2026, 3, 31), BERLIN) == {
        "2026-03-28": 24, "2026-03-29": 23, "2026-03-30": 24
    }  # fmt: skip
    assert days_of(date(2026, 10, 25), date(2026, 10, 26), BERLIN) == {"2026-10-25": 25}
    assert days_of(date(2026, 3, 8), date(2026, 3, 9), NEW_YORK) == {"2026-03-08": 23}
    assert days_of(date(2026, 11, 1), date(2026, 11, 2), NEW_YORK) == {"2026-11-01": 25}


def test_a_day_begins_at_midnight_of_its_zone():
    [day] = split_range(date(2026, 3, 29), date(2026, 3, 30), size=Size.DAY, zone=BERLIN)
    assert day.start.astimezone(UTC) == datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert day.end.astimezone(UTC) == datetime(2026, 3, 29, 22, tzinfo=UTC)
    assert day.days == (date(2026, 3, 29), date(2026, 3, 30))


def test_a_day_without_midnight_begins_when_the_clock_jumps():
    [day] = split_range(date(2018, 11, 4), date(2018, 11, 5), size=Size.DAY, zone=ZoneInfo("America/Sao_Paulo"))
    assert day.start.astimezone(UTC) == datetime(2018, 11, 4, 3, tzinfo=UTC)
    assert hours(day) == 23


def test_a_day_with_two_midnights_begins_at_the_first():
    [day] = split_range(date(2026, 11, 1), date(2026, 11, 2), size=Size.DAY, zone=ZoneInfo("America/Havana"))
    assert hours(day) == 25


@pytest.mark.parametrize(("year", "days"), [(2024, 29), (2026, 28), (2000, 29), (2100, 28)])
def test_february_has_its_days(year, days):
    [month] = split_range(date(year, 2, 1), date(year, 3, 1), size=Size.MONTH, zone=ZoneInfo("UTC"))
    assert (month.key, hours(month)) == (f"{year}-02", days * 24)
    assert len(split_range(date(year, 2, 1), date(year, 3, 1), size=Size.DAY, zone=BERLIN)) == days


def test_weeks_carry_the_year_that_iso_gives_them():
    weeks = split_range(date(2026, 12, 21), date(2027, 1, 11), size=Size.WEEK, zone=BERLIN)
    assert [week.key for week in weeks] == ["2026-W52", "2026-W53", "2027-W01"]


@given(
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", *ODD]),
    first=st.dates(date(2000, 1, 1), date(2036, 12, 31)),
    length=st.integers(1, 400),
    size=st.sampled_from(Size),
)
def test_partitions_cover_a_range_without_gap_or_overlap(zone, first, length, size):
    zone = ZoneInfo(zone)
    since = begin_of(first, size)
    until = begin_of(since + timedelta(days=length + 31), size)
    partitions = split_range(since, until, size=size, zone=zone)
    moments = [p.start.astimezone(UTC) for p in partitions] + [partitions[-1].end.astimezone(UTC)]
    assert moments == sorted(moments)
    assert [p.end for p in partitions[:-1]] == [p.start for p in partitions[1:]]
    assert len({p.key for p in partitions}) == len(partitions)
    assert [parse_partition(p.key, zone) for p in partitions] == partitions
    for p in partitions:
        middle = p.start.astimezone(UTC) + (p.end.astimezone(UTC) - p.start.astimezone(UTC)) / 2
        if p.start.astimezone(UTC) < p.end.astimezone(UTC):
            assert begin_of(middle.astimezone(zone).date(), size) == p.days[0]


@pytest.mark.parametrize(
    ("since", "until", "size", "message"),
    [
        (date(2026, 1, 15), date(2026, 3, 1), Size.MONTH, "2026-01-15 does not begin a month"),
        (date(2026, 1, 1), date(2026, 3, 2), Size.MONTH, "2026-03-02 does not begin a month"),
        (date(2026, 1, 1), date(2026, 1, 12), Size.WEEK, "2026-01-01 does not begin a week"),
        (date(2026, 1, 1), date(2026, 1, 1), Size.DAY, "is empty"),
    ],
)
def test_a_range_that_cuts_a_partition_is_refused(since, until, size, message):
    with pytest.raises(ConfigurationError, match=message):
        split_range(since, until, size=size, zone=BERLIN)


@pytest.mark.parametrize("key", ["2026", "2026-13", "2026-02-30", "2026-W54", "orders", "2026-1-1"])
def test_an_unreadable_key_is_refused(key):
    with pytest.raises(ConfigurationError, match="is not a partition"):
        parse_partition(key, BERLIN)


def test_the_day_that_goes_on_is_that_of_the_zone():
    now = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)
    assert last_ended(now, size=Size.DAY, zone=BERLIN) == date(2026, 4, 1)
    assert last_ended(now, size=Size.MONTH, zone=BERLIN) == date(2026, 4, 1)
    assert last_ended(now, size=Size.MONTH, zone=NEW_YORK) == date(2026, 3, 1)
