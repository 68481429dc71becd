"""Readers see what is pending, as far as a merge might go, and write nothing."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from connectors.cdc.merge import merge_table
from connectors.lake.bronze import BronzeLog
from connectors.lake.checked import Checked, record_checked
from connectors.lake.contract_log import record_contracts
from connectors.lake.fresh import pin_fresh
from connectors.lake.gold import built_states, moved_tables, record_states
from connectors.lake.reader import open_reader, query_lake
from connectors.postgres.contracts import ColumnContract
from connectors.quality import freshness
from connectors.quality.freshness import open_tables, read_states
from tests.events import event
from tests.lake import as_recorded, with_cdc
from tests.silver_lake import KEYED, KEYLESS, row
from tests.unit.test_rebuild import TABLE, Source

FIRST = [event("c", row(1, "a", "x"), lsn=10, prev=5), event("c", row(2, "b", "y"), lsn=20, prev=15)]
PENDING = [
    event("u", row(1, "A", "x"), lsn=30, prev=25, before=row(1, "a", "x")),
    event("d", row(2, "b", "y"), lsn=40, prev=35),
    event("c", row(3, "c", "z"), lsn=50, prev=45),
]
MERGED = [(1, "a", "x"), (2, "b", "y")]
ALL = [(1, "A", "x"), (3, "c", "z")]


@pytest.fixture(params=[KEYED, KEYLESS], ids=["keyed", "keyless"])
def source(tmp_path, monkeypatch, request):
    """Rows that were merged, and changes that are only in bronze."""
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    source = Source(str(tmp_path / "lake"), request.param)
    source.receive(*FIRST)
    merge_table(source.settings, TABLE, checked=as_recorded(source.settings))
    source.receive(*PENDING)
    check(source)
    return source


def states(source):
    return read_states(source.settings, open_tables(source.settings))


def check(source, *paused):
    batch = BronzeLog(source.layout).batch
    record_checked(source.layout, Checked(batch, frozenset(paused)))
    return batch


def files_of(folder):
    return {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*")}


def test_reader_sees_pending_changes_and_writes_nothing(source):
    before = files_of(source.settings.lake.root)
    assert source.rows() == ALL
    assert files_of(source.settings.lake.root) == before


def test_tables_of_pending_rows_are_not_listed(source):
    with query_lake(source.settings, "show tables") as result:
        assert "_pending" not in str(result.fetchall())
    with open_reader(source.settings) as connection:
        assert connection.execute("SELECT count(*) FROM silver.t").fetchall() == [(2,)]


def test_statement_that_names_no_table_folds_none(source):
    with open_reader(source.settings, sql="VALUES (1)") as connection:
        assert connection.execute("SELECT id, name, big FROM silver.t ORDER BY ALL").fetchall() == MERGED
    with query_lake(source.settings, "SELECT count(*) FROM SILVER.T WHERE id = 3") as result:
        assert result.fetchall() == [(1,)]


def test_what_was_not_checked_is_not_shown(source):
    source.receive(event("c", row(4, "d", "w"), lsn=60, prev=55))
    assert source.rows() == ALL
    check(source)
    assert source.rows() == [*ALL, (4, "d", "w")]


def test_paused_table_is_shown_as_it_was_merged(source):
    check(source, TABLE)
    assert source.rows() == MERGED


def test_without_a_check_everything_is_shown_as_it_was_merged(source):
    Path(f"{source.layout.root}/bronze/s/checked.json").unlink()
    assert source.rows() == MERGED


def test_table_that_lacks_a_column_is_shown_as_it_was_merged(source):
    added = ColumnContract(name="since", type_name="date", number=9)
    wider = source.contract.model_copy(update={"columns": (*source.contract.columns, added)})
    record_contracts(source.layout, [wider], 1)
    assert source.rows() == MERGED
    merge_table(source.settings, TABLE, checked=as_recorded(source.settings))
    assert source.rows() == ALL


def test_events_of_unknown_columns_are_told_of(source, caplog):
    source.receive(event("c", {**row(4, "d", "w"), "more": "?"}, lsn=60, prev=55))
    check(source)
    with caplog.at_level(logging.WARNING):
        assert source.rows() == MERGED
    assert "columns that the contract does not know: more; it is shown as it was merged" in caplog.text


def test_backlog_is_merged_not_folded_by_every_reader(source, caplog):
    source.settings = with_cdc(source.settings, slice_rows=2)
    with caplog.at_level(logging.WARNING):
        assert source.rows() == MERGED
    assert "public.t: too much is pending to be shown; `lakehouse drain` merges it" in caplog.text


def test_message_that_cannot_be_read_hides_no_other(source):
    source.receive((b"{}", b"{broken", [("lakehouse.epoch", b"1")]))
    check(source)
    assert source.rows() == ALL


def test_table_that_was_never_merged_is_not_created(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    source = Source(str(tmp_path / "lake"), KEYED)
    source.receive(*FIRST)
    check(source)
    assert pin_fresh(source.settings).tables == ()
    assert not Path(source.layout.silver(TABLE)).exists()


def test_freshness_is_that_of_the_newest_change_that_readers_see(source):
    [state] = states(source)
    before = state.newest_change
    source.receive(event("c", row(4, "d", "w"), lsn=60, prev=55, ts_ms=1_800_000_000_000))
    source.receive((b"{}", b"{broken", [("lakehouse.epoch", b"1")]), (b"{}", None, []))
    assert states(source)[0].newest_change == before
    check(source)
    newest = datetime.fromtimestamp(1_800_000_000, UTC)
    assert states(source)[0].newest_change == newest
    check(source, TABLE)
    assert states(source)[0].newest_change == before
    check(source)
    merge_table(source.settings, TABLE, checked=as_recorded(source.settings))
    assert states(source)[0].newest_change == newest


def test_gold_is_behind_when_more_is_pending_than_it_was_built_from(source):
    def build():
        source.settings.home.mkdir(exist_ok=True)
        with duckdb.connect(source.settings.home / "gold.duckdb") as connection:
            record_states(connection, "gold", built_states(pin_fresh(source.settings), ()))

    assert moved_tables(source.settings) == ["public.t"]
    build()
    assert moved_tables(source.settings) == []
    source.receive(event("c", row(4, "d", "w"), lsn=60, prev=55))
    check(source)
    assert moved_tables(source.settings) == ["public.t"]
    build()
    assert moved_tables(source.settings) == []
    merge_table(source.settings, TABLE, checked=as_recorded(source.settings))
    assert moved_tables(source.settings) == ["public.t"]


def test_version_of_a_table_is_read_once_for_its_state(source, monkeypatch):
    before = states(source)
    with monkeypatch.context() as patch:
        patch.setattr(freshness, "scratch_connection", None)  # who reads rows again fails
        assert [state.rows for state in states(source)] == [state.rows for state in before] == [2]
    merge_table(source.settings, TABLE, checked=as_recorded(source.settings))
    source.receive(event("c", row(5, "e", "v"), lsn=70, prev=65))
    merge_table(source.settings, TABLE, checked=as_recorded(source.settings))
    assert [state.rows for state in states(source)] == [3]
