"""Of a table without a primary key, whose silver is a history, there is a table of the rows as they are."""

import pytest
from deltalake import DeltaTable

from connectors.cdc.merge import merge_table, open_silver, pending_tables
from connectors.lake.silver.current import is_current_stale, write_current
from connectors.lake.storage import open_table
from tests.events import event
from tests.lake import as_recorded
from tests.silver_lake import KEYLESS, row
from tests.unit.test_rebuild import TABLE, Source

LIMIT = 100


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    source = Source(str(tmp_path / "lake"), KEYLESS)
    for n in range(3):
        source.receive(event("c", row(n % 2, "a", "x"), lsn=10 + n, prev=5))
    return source


def limited(source, rows):
    cdc = source.settings.cdc.model_copy(update={"current_rows": rows})
    return source.settings.model_copy(update={"cdc": cdc})


def merge(source, settings=None):
    merge_table(settings or source.settings, TABLE, checked=as_recorded(source.settings))


def current(source):
    rows = DeltaTable(source.layout.current(TABLE)).to_pyarrow_table().to_pylist()
    return sorted(tuple(found.values()) for found in rows)


def test_rows_are_as_often_there_as_at_the_source(source):
    merge(source)
    assert current(source) == [(0, "a", "x"), (0, "a", "x"), (1, "a", "x")] == source.rows()
    source.receive(event("u", row(0, "b", "x"), before=row(0, "a", "x"), lsn=30, prev=25))
    source.receive(event("d", row(1, "a", "x"), lsn=40, prev=35))
    merge(source)
    assert current(source) == [(0, "a", "x"), (0, "b", "x")] == source.rows()
    assert DeltaTable(source.layout.current(TABLE)).metadata().configuration["lakehouse.key"] == "[]"


def test_what_has_not_moved_is_not_written_again(source):
    merge(source)
    version = DeltaTable(source.layout.current(TABLE)).version()
    assert pending_tables(source.settings) == []
    write_current(open_silver(source.settings, TABLE), limit=LIMIT)
    assert DeltaTable(source.layout.current(TABLE)).version() == version


def test_merge_that_was_killed_before_them_is_made_good(source):
    merge(source, limited(source, 0))
    assert [(pending.table, pending.since) for pending in pending_tables(source.settings)] == [(TABLE, None)]
    merge(source)
    assert current(source) == source.rows()
    assert pending_tables(source.settings) == []


def test_who_read_an_older_version_takes_nothing_back(source):
    merge(source, limited(source, 0))
    slow = open_silver(source.settings, TABLE)
    source.receive(event("c", row(9, "z", "x"), lsn=50, prev=45))
    merge(source)
    write_current(slow, limit=LIMIT)
    assert current(source) == source.rows()
    assert not is_current_stale(open_silver(source.settings, TABLE), limit=LIMIT)


def test_table_that_became_too_large_leaves_no_old_rows_behind(source):
    merge(source)
    assert [found.table for found in pending_tables(limited(source, 2))] == [TABLE]
    merge(source, limited(source, 2))
    assert open_table(source.layout.current(TABLE)) is None
    assert pending_tables(limited(source, 2)) == []
