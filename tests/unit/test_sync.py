"""The steps of a drain: in which order, and what becomes of tables behind one that fails."""

from datetime import UTC, datetime

import pytest

from connectors.cdc.cadence import PendingTable
from connectors.cdc.contract_check import ContractCheck
from connectors.cdc.reports import DrainReport, DriftReport, MergeReport
from connectors.cdc.sync import PLAIN, Steps, sync_source
from connectors.errors import CaptureStopped, CommitConflict, ContractMismatch, ServiceUnavailable, TerminalError
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings

TABLES = [TableName("public", name) for name in ("first", "lost_every_race", "last")]


def steps(**changes):
    def merge(settings, table, *, checked):
        if table.name == "lost_every_race":
            raise CommitConflict("other merges won every race")
        return MergeReport(table, checked.up_to_batch, 1, 0, 0.0, 1)

    plain = {
        "exclude": lambda settings: [],
        "drain": lambda settings, *, through_lsn: DrainReport("s", 1, 1, through_lsn, 0.0, 1),
        "check": lambda settings: ContractCheck(7),
        "resolve": lambda settings, table, change: DriftReport(table, "equal", str(change), 1, 0.0),
        "find_pending": lambda settings: [PendingTable(table, 1, 0, None) for table in TABLES],
        "merge": merge,
        "find_stop": lambda settings: None,
    }
    return Steps(**{**plain, **changes})


def test_no_failure_holds_up_the_tables_behind_it():
    report = sync_source(Settings(), through_lsn=5, steps=steps())
    assert report.drained.through_lsn == 5
    merged = {table.name for table, outcome in report.outcomes.items() if isinstance(outcome, MergeReport)}
    assert merged == {"first", "last"}
    with pytest.raises(TerminalError, match=r"1 of 3 tables were not merged:\npublic\.lost_every_race: other"):
        report.merged()


def test_held_table_is_told_of_where_nothing_of_it_is_pending():
    paused = {TableName("public", "paused"): ContractMismatch("public.paused: a column was renamed")}
    report = sync_source(Settings(), steps=steps(check=lambda settings: ContractCheck(7, paused=paused)))
    with pytest.raises(TerminalError, match=r"2 of 4 tables were not merged:\npublic\.paused: a column was renamed"):
        report.merged()


def test_bronze_goes_on_while_the_source_does_not_answer_and_the_drain_fails():
    drained = []

    def unreachable(settings):
        raise ServiceUnavailable("the source does not answer")

    def drain(settings, *, through_lsn):
        drained.append(through_lsn)

    with pytest.raises(ServiceUnavailable, match="does not answer"):
        sync_source(Settings(), steps=steps(exclude=unreachable, drain=drain, check=unreachable))
    assert drained == [None]


def test_plain_steps_are_the_functions_of_connectors():
    # A name that is wrong would be found by the first drain only.
    for step in vars(PLAIN).values():
        with pytest.raises(TypeError, match=r"missing . required positional argument"):
            step()


def test_changes_that_are_not_due_wait_and_count_as_moved_once():
    now = datetime.now(UTC)
    pending = [
        PendingTable(TABLES[0], 5, 100_000, now, last_batch=7),
        PendingTable(TABLES[2], 9, 100_000, now, last_batch=6),
    ]
    waiting = steps(find_pending=lambda settings: pending)
    report = sync_source(Settings(), only_due=True, steps=waiting)
    assert (report.waiting, report.outcomes) == (pending, {})
    # Batch 7 is the one that this drain added.
    assert report.moved() == {TABLES[0]: 5}
    assert {outcome.table for outcome in sync_source(Settings(), steps=waiting).merged()} == {TABLES[0], TABLES[2]}


def test_what_has_come_is_merged_although_capture_has_stopped_and_the_drain_fails():
    stopped, asked = CaptureStopped("capture has stopped: its connector is paused"), []

    def drain(settings, *, through_lsn):
        asked.append(through_lsn)
        if through_lsn is not None:
            raise stopped
        return DrainReport("s", 1, 1, 0, 0.0, 1)

    pending = {"find_pending": lambda settings: [PendingTable(TABLES[0], 1, 0, None)]}
    report = sync_source(Settings(), through_lsn=5, steps=steps(drain=drain, **pending))
    assert asked == [5, None]
    assert [table.name for table in report.outcomes] == ["first"]
    with pytest.raises(CaptureStopped, match="is paused"):
        report.merged()


def test_drain_that_waits_for_nothing_asks_at_its_end():
    pending = {"find_pending": lambda settings: []}
    stopped = CaptureStopped("capture has stopped: its connector is not there")
    report = sync_source(Settings(), steps=steps(find_stop=lambda settings: stopped, **pending))
    with pytest.raises(CaptureStopped, match="is not there"):
        report.merged()
