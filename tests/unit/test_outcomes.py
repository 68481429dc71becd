"""Work on tables one by one: whatever one comes to, the others are done."""

import pytest

from connectors.cdc.outcomes import failures, one_by_one, require_all, succeeded
from connectors.errors import CommitConflict, TerminalError
from connectors.postgres.identifiers import TableName

TABLES = [TableName("public", name) for name in ("first", "lost_every_race", "broken", "last")]
ERRORS = {"lost_every_race": CommitConflict("public.lost_every_race: other merges won"), "broken": KeyError("k")}


def work(table):
    if table.name in ERRORS:
        raise ERRORS[table.name]
    return table.name.upper()


def test_no_failure_holds_up_the_tables_behind_it(caplog):
    outcomes = one_by_one(TABLES, work)
    # Where an error comes from that nobody expected is not lost.
    assert [(record.message, record.exc_info[1]) for record in caplog.records] == [("public.broken", ERRORS["broken"])]
    assert succeeded(outcomes) == ["FIRST", "LAST"]
    assert {table.name: error for table, error in failures(outcomes).items()} == ERRORS


def test_one_error_names_all_that_failed_and_why():
    reasons = r"public\.lost_every_race: other merges won\npublic\.broken: KeyError: 'k'\n"
    with pytest.raises(TerminalError, match=rf"^2 of 4 tables were not rebuilt:\n{reasons}") as error:
        require_all(one_by_one(TABLES, work), done="rebuilt")
    assert error.value.tables == (TABLES[1], TABLES[2])


def test_all_that_succeeded_are_returned():
    assert require_all(one_by_one(TABLES[:1], work), done="rebuilt") == ["FIRST"]


def test_what_ends_the_process_ends_the_work():
    def interrupted(table):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        one_by_one(TABLES, interrupted)
