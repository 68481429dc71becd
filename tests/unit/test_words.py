"""Numbers agree with their nouns; the message of a run says what came of it."""

from dataclasses import replace

import pytest

from connectors.cdc.contract_check import ContractCheck
from connectors.cdc.reports import DrainReport, DriftReport, MergeReport, RebuildReport
from connectors.cdc.sync import SyncReport
from connectors.errors import CommitConflict, TablePaused, TerminalError
from connectors.postgres.identifiers import TableName
from connectors.quality.reports import TableComparison
from flows.outcome import ended
from tasks.summaries import summarise_drain, summarise_rebuild, summarise_reconciliation
from tasks.words import counted

ORDERS, ITEMS, LINES = (TableName("public", name) for name in ("orders", "items", "lines"))


def merged(table, changes, rejected=0):
    return MergeReport(table=table, batch=3, changes=changes, rejected=rejected, seconds=0.1, version=1)


def drained(outcomes):
    report = DrainReport(source="shop", messages=9, batches=1, through_lsn=0, seconds=1.0, version=1)
    return SyncReport(report, ContractCheck(1), [], outcomes)


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, "row", "0 rows"),
        (1, "row", "1 row"),
        (1243, "change", "1,243 changes"),
        (2, "micro-batch", "2 micro-batches"),
    ],
)
def test_numbers_agree_with_their_nouns(number, noun, text):
    assert counted(number, noun) == text


def test_drain_says_rows_tables_and_what_is_paused():
    paused = TablePaused("public.lines: column renamed", table=LINES, command="lakehouse resync", hint="run it")
    outcomes = {ORDERS: merged(ORDERS, 1242, rejected=2), ITEMS: merged(ITEMS, 1), LINES: paused}
    assert summarise_drain(drained(outcomes)) == "1,243 changes in 2 tables, 2 messages rejected, 1 paused"
    assert summarise_drain(drained({ORDERS: CommitConflict("others won")})) == "no changes, 1 failed"
    assert summarise_drain(drained({})) == "no changes"
    drift = DriftReport(ITEMS, "resynced", "column renamed", 7, 0.5)
    assert summarise_drain(replace(drained({}), resolved=[drift])) == "no changes, 1 resynced"


def test_comparison_says_how_many_tables_and_rows_differ():
    same, other = (TableComparison(ORDERS, 5, 5, n, ()) for n in (0, 3))
    assert summarise_reconciliation([same]) == "1 table equals its source"
    assert summarise_reconciliation([same, same]) == "2 tables equal their source"
    assert summarise_reconciliation([same, other]) == "1 of 2 tables differs in 3 rows"


def test_rebuild_says_whether_anything_differed():
    report = RebuildReport(table=ORDERS, changes=7, rows=1200, differing=0, version=4, seconds=1.2)
    assert summarise_rebuild("rebuilt", [report], failed=1) == "1 table rebuilt, 1,200 rows, none differed, 1 failed"


def test_run_ends_with_its_message_and_its_result_or_error():
    done = ended(lambda: 7, "7 rows")
    assert (done.type.value, done.message, done.data) == ("COMPLETED", "7 rows", 7)
    error = TerminalError("a table is paused")

    def fail():
        raise error

    failed = ended(fail, "no changes, 1 paused")
    assert (failed.type.value, failed.message) == ("FAILED", "no changes, 1 paused: a table is paused")
    assert failed.data is error
