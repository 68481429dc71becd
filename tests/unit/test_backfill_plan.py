"""A backfill runs what is missing, some at a time, and shows how far it is."""

import threading
from datetime import UTC, date, datetime, timedelta

import pytest

from connectors.backfill.entry import Entry, State
from connectors.backfill.grid import make_grid
from connectors.backfill.parallel import run_all
from connectors.backfill.partitions import Partition, Size
from connectors.backfill.plan import open_backfill
from connectors.backfill.targets import TARGETS
from connectors.errors import ConfigurationError, TerminalError
from connectors.settings import BackfillSettings, LakeSettings, Settings
from tasks.progress import render_grid
from tests.silver_lake import KEYED
from tests.unit.test_rebuild import EVENTS, TABLE, Source

NOW = datetime(2026, 5, 1, tzinfo=UTC)
WEEK = [Partition(str(n)) for n in range(7)]


@pytest.fixture
def settings(tmp_path):
    return Settings(lake=LakeSettings(root=str(tmp_path / "lake")), backfill=BackfillSettings(time_zone="Asia/Tokyo"))


def entry(key, state, **more):
    return Entry("sales", key, 1, state, NOW, **more)


def test_partitions_run_some_at_a_time():
    running, most, together = [], [], threading.Barrier(3)

    def work(partition):
        running.append(partition)
        most.append(len(running))
        if int(partition.key) < 3:
            together.wait()
        running.remove(partition)

    ended = []
    run_all(WEEK, work, parallel=3, on_end=lambda: ended.append(1))
    assert max(most) == 3
    assert len(ended) == 7


def test_failures_leave_the_others_alone_and_are_named():
    done = []

    def work(partition):
        if partition.key in "25":
            raise ValueError(partition.key)
        done.append(partition.key)

    with pytest.raises(TerminalError, match="2 of 7 partitions failed: 2, 5"):
        run_all(WEEK, work, parallel=2, on_end=lambda: None)
    assert sorted(done) == ["0", "1", "3", "4", "6"]


def test_a_run_that_is_stopped_begins_nothing_more():
    begun = []

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_all(WEEK, begun.append, parallel=1, on_end=stop)
    assert len(begun) < 7


def test_a_model_that_names_its_column_is_a_target(settings):
    backfill = open_backfill(settings, "fct_daily_sales", since=date(2026, 1, 1), until=date(2026, 1, 3))
    assert [p.key for p in backfill.partitions] == ["2026-01-01", "2026-01-02"]
    assert backfill.partitions[0].start.utcoffset() == timedelta(hours=9)
    assert backfill.parallel(8) == 1


def test_a_range_without_an_end_goes_on_to_what_has_ended(settings):
    since = date(2026, 1, 1)
    months = open_backfill(settings, "fct_daily_sales", since=since, until=None, size=Size.MONTH).partitions
    last = months[-1].end.astimezone(UTC)
    assert last <= datetime.now(UTC) < last + timedelta(days=32)


@pytest.mark.parametrize(
    ("target", "since", "until", "message"),
    [
        ("fct_daily_sale", None, None, "there is no target 'fct_daily_sale'"),
        ("fct_daily_sales", None, None, "partitions in time"),
        ("fct_daily_sales", date(2026, 1, 1), date(2999, 1, 1), "not every day before 2999-01-01 has ended in Asia/T"),
        ("silver", date(2026, 1, 1), None, "by table, never by date"),
    ],
)
def test_a_range_that_a_target_does_not_have_is_refused(settings, target, since, until, message):
    with pytest.raises(ConfigurationError, match=message):
        open_backfill(settings, target, since=since, until=until)


def test_what_is_done_is_left_out_and_what_others_are_at_comes_last(settings):
    backfill = open_backfill(settings, "fct_daily_sales", since=date(2026, 1, 1), until=date(2026, 1, 5))
    states = (State.DONE, State.RUNNING, State.FAILED, None)
    entries = {p.key: state and entry(p.key, state) for p, state in zip(backfill.partitions, states, strict=True)}
    assert [p.key[-2:] for p in backfill.missing(entries)] == ["03", "04", "02"]
    assert [p.key[-2:] for p in backfill.missing(entries, force=True)] == ["01", "03", "04", "02"]


def test_silver_is_planned_table_by_table(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    source = Source(str(tmp_path / "lake"), KEYED)
    for message in EVENTS:
        source.receive(message)
    backfill = open_backfill(source.settings, "silver", since=None, until=None)
    [partition] = backfill.plan()
    assert partition.key == str(TABLE)
    with pytest.raises(ConfigurationError, match=r"'public\.gone' is not a captured table"):
        TARGETS["silver"](source.settings).partition("public.gone")


def test_the_grid_has_a_line_per_month():
    lease = NOW + timedelta(seconds=1)
    entries = {
        "2026-03-31": entry("2026-03-31", State.DONE),
        "2026-04-01": entry("2026-04-01", State.FAILED, error="no\nluck | here"),
        "2026-04-02": entry("2026-04-02", State.RUNNING, lease_until=lease),
        "2026-04-03": entry("2026-04-03", State.RUNNING, lease_until=NOW),
        "2026-04-04": entry("2026-04-04", State.PLANNED),
        "2026-04-05": None,
    }
    grid = make_grid(entries, NOW)
    assert grid.columns == ("01", "02", "03", "04", "05", "31")
    assert grid.lines == {
        "2026-03": (None, None, None, None, None, "done"),
        "2026-04": ("failed", "running", "interrupted", "planned", "missing", None),
    }
    page = render_grid("sales", grid)
    assert "| 2026-04 | ✗ | ▶ | ! | ○ | · |  |" in page
    assert "1 done, 1 failed, 1 running, 1 interrupted, 1 planned, 1 missing." in page
    assert "| 2026-04-01 | no luck \\| here |" in page


def test_the_grid_has_a_line_per_table_where_there_is_no_time():
    names = ("public.orders", "public.my-table")
    grid = make_grid({name: entry(name, State.DONE) for name in names}, NOW)
    assert grid.lines == {"public.my-table": ("done",), "public.orders": ("done",)}


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(ValueError, match="'Europe/Berlyn' is not a time zone"):
        BackfillSettings(time_zone="Europe/Berlyn")
