"""The ledger gives each partition to one run at a time, and forgets nothing."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from connectors.backfill.entry import State
from connectors.backfill.ledger import Ledger
from connectors.backfill.partitions import Partition, Size, split_range
from connectors.backfill.run import run_partition
from connectors.backfill.targets import InTime
from connectors.errors import CommitConflict
from connectors.lake.storage import open_table

BERLIN = ZoneInfo("Europe/Berlin")
DAYS = split_range(date(2026, 3, 28), date(2026, 4, 1), size=Size.DAY, zone=BERLIN)
ONE = DAYS[1]


class Clock:
    def __init__(self):
        self.now = datetime(2026, 5, 1, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ledger(tmp_path, clock):
    return Ledger(str(tmp_path / "the ledger"), "sales", lease=timedelta(seconds=60), clock=clock)


def test_planning_twice_records_once(ledger):
    assert {e.state for e in ledger.plan(DAYS).values()} == {State.PLANNED}
    ledger.plan(DAYS)
    assert {key: e.number for key, e in ledger.entries().items()} == {day.key: 1 for day in DAYS}


def test_an_entry_keeps_the_moments_of_its_partition(ledger):
    entry = ledger.plan(DAYS)[ONE.key]
    assert ledger.entries()[ONE.key] == entry
    assert ledger.entries()[ONE.key].end == datetime(2026, 3, 29, 22, tzinfo=UTC)


def test_a_process_that_has_read_entries_ends_well(ledger, tmp_path):
    for day in DAYS:
        ledger.claim(day, run="a")
    code = (
        "import sys; from datetime import timedelta; from connectors.backfill.ledger import Ledger\n"
        "print(len(Ledger(sys.argv[1], 'sales', lease=timedelta(1)).entries()))"
    )
    for _ in range(4):
        command = [sys.executable, "-c", code, str(tmp_path / "the ledger")]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{len(DAYS)}\n", "")


def test_of_many_runs_one_gets_a_partition(ledger):
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda run: ledger.claim(ONE, run=run).run, "abcd"))
    assert len(set(got)) == 1
    assert ledger.entries()[ONE.key].attempt == 1


def test_partitions_do_not_get_in_each_others_way(ledger):
    with ThreadPoolExecutor(4) as pool:
        entries = list(pool.map(lambda day: ledger.finish(ledger.claim(day, run="a"), rows=3), DAYS))
    assert [e.state for e in entries] == [State.DONE] * 4
    assert {e.rows for e in ledger.entries().values()} == {3}


def test_what_a_dead_run_held_is_free_after_its_lease(ledger, clock):
    dead = ledger.claim(ONE, run="dead")
    assert ledger.claim(ONE, run="next").run == "dead"
    clock.now += timedelta(seconds=59)
    assert ledger.claim(ONE, run="next").run == "dead"
    clock.now += timedelta(seconds=1)
    assert dead.is_lost(clock.now)
    taken = ledger.claim(ONE, run="next")
    assert (taken.run, taken.attempt) == ("next", 2)
    with pytest.raises(CommitConflict, match="2026-03-29: another run took it over"):
        ledger.finish(dead, rows=1)


def test_a_live_run_keeps_its_partition(ledger, clock):
    held = ledger.claim(ONE, run="slow")
    clock.now += timedelta(seconds=59)
    held = ledger.renew(held)
    clock.now += timedelta(seconds=59)
    assert ledger.claim(ONE, run="next").run == "slow"
    assert ledger.finish(held, rows=2).attempt == 1


def test_what_is_done_is_begun_again_only_if_planned_again(ledger):
    ledger.finish(ledger.claim(ONE, run="a"), rows=2)
    assert ledger.plan([ONE])[ONE.key].state is State.DONE
    assert ledger.claim(ONE, run="b").state is State.DONE
    assert ledger.plan([ONE], force=True)[ONE.key].state is State.PLANNED
    assert ledger.claim(ONE, run="b").attempt == 2
    assert ledger.plan([ONE], force=True)[ONE.key].run == "b"


def test_a_run_that_ended_without_a_word_is_given_up_once(ledger):
    ledger.fail(ledger.claim(ONE, run="a"), "no luck")
    assert ledger.give_up(ONE, attempt=1, error="crashed").error == "no luck"
    assert ledger.give_up(ONE, attempt=2, error="crashed").attempt == 2
    assert ledger.entries()[ONE.key].error == "crashed"
    ledger.finish(ledger.claim(ONE, run="b"), rows=1)
    assert ledger.give_up(ONE, attempt=3, error="late").state is State.DONE


def test_targets_share_a_table_and_nothing_else(ledger, tmp_path, clock):
    other = Ledger(str(tmp_path / "the ledger"), "returns", lease=timedelta(seconds=60), clock=clock)
    ledger.claim(ONE, run="a")
    assert other.entries() == {}
    assert other.claim(ONE, run="b").attempt == 1


def test_a_long_ledger_is_compacted(ledger, tmp_path):
    for _ in range(8):
        ledger.finish(ledger.claim(ONE, run="a"), rows=1)
        ledger.plan([ONE], force=True)
    assert ledger.entries()[ONE.key].attempt == 8
    assert len(open_table(str(tmp_path / "the ledger")).file_uris()) < 10


def test_a_partition_is_run_once_and_its_outcome_recorded(ledger):
    ran = []
    target = InTime(BERLIN, lambda partition: ran.append(partition.key) or 7)
    assert run_partition(ledger, target, ONE, run="a").rows == 7
    assert run_partition(ledger, target, ONE, run="b").run == "a"
    assert ran == [ONE.key]


def test_a_failure_is_recorded_and_raised(ledger):
    def fail(partition):
        raise ValueError("odd data")

    with pytest.raises(ValueError, match="odd data"):
        run_partition(ledger, InTime(BERLIN, fail), ONE, run="a")
    entry = ledger.entries()[ONE.key]
    assert (entry.state, entry.error) == (State.FAILED, "ValueError: odd data")


def test_a_table_is_a_partition_without_time(ledger):
    assert ledger.claim(Partition("public.orders"), run="a").start is None
    assert ledger.entries()["public.orders"].state is State.RUNNING
