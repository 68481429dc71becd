"""A target whose source is one row per hour of UTC; each partition replaces its rows in one commit."""

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from connectors.backfill.targets import TARGETS, InTime
from connectors.errors import TerminalError
from connectors.lake.commits import committing, optimistically

SCHEMA = pa.schema([("day", pa.string()), ("hour", pa.timestamp("us", tz="UTC"))])


def install(folder):
    """Adds the target `hourly`; it fails for the days that the file `broken` names."""
    TARGETS["hourly"] = lambda settings: InTime(
        ZoneInfo(settings.backfill.time_zone), partial(replace, folder=Path(folder))
    )


def replace(partition, *, folder):
    if partition.key in (folder / "broken").read_text().split():
        raise TerminalError(f"the source of {partition.key} is broken")
    hour, end = partition.start.astimezone(UTC), partition.end.astimezone(UTC)
    hours = []
    while hour < end:
        hours.append({"day": partition.key, "hour": hour})
        hour += timedelta(hours=1)

    def attempt():
        table = DeltaTable(str(folder / "table"))
        with committing(table):
            write_deltalake(
                table,
                pa.Table.from_pylist(hours, schema=SCHEMA),
                mode="overwrite",
                predicate=f"day = '{partition.key}'",
            )

    optimistically(attempt)
    return len(hours)


def create(folder):
    folder.mkdir()
    DeltaTable.create(str(folder / "table"), SCHEMA, partition_by=["day"])


def rows(folder):
    return DeltaTable(str(folder / "table")).to_pyarrow_table().to_pylist()


def writes(folder):
    """How often each day was replaced, by the table's own log."""
    history = DeltaTable(str(folder / "table")).history()
    found = [c["operationParameters"].get("predicate", "") for c in history if c["operation"] == "WRITE"]
    days = [predicate.split("'")[1] for predicate in found]
    return {day: days.count(day) for day in days}


def all_hours(since, until, zone):
    """Every hour of UTC from the one midnight to the other."""
    moment, end = (datetime.combine(day, datetime.min.time(), ZoneInfo(zone)).astimezone(UTC) for day in (since, until))
    hours = []
    while moment < end:
        hours.append(moment)
        moment += timedelta(hours=1)
    return hours
