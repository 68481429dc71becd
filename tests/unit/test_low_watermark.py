"""Below a truncation, and below a completed snapshot, nothing of a table is left, and nothing comes back."""

import pytest

from connectors.changes.order import Position
from connectors.lake.silver.merge import SilverMerge
from connectors.lake.silver.table import SilverTable
from tests.events import PLACEHOLDER, event
from tests.silver_lake import KEYLESS, Lake, row


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path))


@pytest.fixture
def history(tmp_path_factory):
    return Lake(str(tmp_path_factory.mktemp("history")), KEYLESS)


def snapshot(*rows, lsn, epoch=1, done=True, prev=None):
    """The rows of one reading of the table; `done`: it came to its end."""
    flags = ["true"] * (len(rows) - 1) + ["last_in_data_collection" if done else "true"]
    return [event("r", r, lsn=lsn, epoch=epoch, prev=prev, snapshot=flag) for r, flag in zip(rows, flags, strict=True)]


def images(lake):
    """The rows that a table without a key has, each with how often."""
    counted = {}
    for *values, weight in lake.select("id, name, _cdc_weight"):
        counted[tuple(values)] = counted.get(tuple(values), 0) + weight
    return {values: count for values, count in counted.items() if count}


def test_truncation_deletes_what_was_there_and_keeps_what_came_after(lake):
    lake.receive(*(event("c", row(n, "old", "x"), lsn=n, prev=0) for n in range(1, 6))).merge()
    lake.receive(event("t", lsn=20, prev=10), event("c", row(3, "new", "y"), lsn=30, prev=25)).merge()
    assert lake.rows() == [(3, "new", "y")]
    assert lake.select("id, _cdc_op, _cdc_lsn, _cdc_deleted")[0] == (1, "t", 20, True)


@pytest.mark.parametrize("together", [True, False])
def test_truncated_rows_never_come_back(lake, together):
    inserted = [event("c", row(1, "a", "x"), lsn=10, prev=5), event("u", row(1, "b", "x"), lsn=20, prev=15)]
    truncated = event("t", lsn=30, prev=25)
    if together:
        lake.receive(*inserted, truncated).merge()
    else:
        lake.receive(*inserted).merge()
        lake.receive(truncated).merge()
    lake.receive(*inserted, event("c", row(2, "late", "x"), lsn=29, prev=15)).merge()
    lake.receive(truncated).merge()
    assert lake.rows() == []


def test_truncation_reaches_files_without_any_changed_key(lake):
    for n in range(4):
        lake.receive(*(event("c", row(n * 100 + i, "old", "x"), lsn=n * 100 + i, prev=0) for i in range(1, 4))).merge()
    lake.receive(event("t", lsn=1000, prev=900), event("c", row(1, "new", "y"), lsn=1010, prev=1005)).merge()
    assert lake.rows() == [(1, "new", "y")]


def test_rows_written_in_the_transaction_that_truncates(lake):
    lake.receive(
        event("c", row(1, "before", "x"), lsn=10, prev=5),
        event("t", lsn=11, prev=5),
        event("c", row(2, "after", "x"), lsn=12, prev=5),
        event("t", lsn=13, prev=5),
        event("c", row(1, "last", "x"), lsn=14, prev=5),
    ).merge()
    assert lake.rows() == [(1, "last", "x")]


def test_truncation_of_a_table_without_key(history):
    history.receive(*[event("c", row(1, "a", None), lsn=10, prev=5)] * 2).merge()
    history.receive(
        event("c", row(2, "b", None), lsn=20, prev=15),
        event("t", lsn=30, prev=25),
        event("c", row(1, "a", None), lsn=40, prev=35),
    ).merge()
    assert images(history) == {(1, "a"): 1}
    history.receive(event("t", lsn=50, prev=45)).merge()
    assert images(history) == {}


def test_rows_deleted_while_nobody_captured_are_gone_after_the_next_snapshot(lake):
    lake.receive(*snapshot(row(1, "a", "x"), row(2, "b", "x"), lsn=100)).merge()
    lake.receive(*snapshot(row(1, "a", "x"), lsn=50, epoch=2, done=False)).merge()
    assert lake.rows() == [(1, "a", "x"), (2, "b", "x")]
    lake.receive(*snapshot(row(3, "c", "x"), lsn=50, epoch=2)).merge()
    assert lake.rows() == [(1, "a", "x"), (3, "c", "x")]


def test_change_after_an_empty_snapshot_tells_that_the_old_rows_are_gone(lake):
    lake.receive(*snapshot(row(1, "a", "x"), row(2, "b", "x"), lsn=100)).merge()
    lake.receive(event("c", row(3, "c", "x"), lsn=60, prev=55, epoch=2)).merge()
    assert lake.rows() == [(3, "c", "x")]


def test_snapshot_that_was_begun_anew_is_what_counts(lake):
    """Between the two readings row 1 was deleted and row 2 changed; nobody streamed that."""
    lake.receive(*snapshot(row(1, "a", "x"), row(2, "old", "x"), row(3, "c", "x"), lsn=100, done=False)).merge()
    lake.receive(*snapshot(row(2, "new", "x"), row(3, "c", "x"), lsn=200)).merge()
    assert lake.rows() == [(2, "new", "x"), (3, "c", "x")]


def test_snapshot_of_a_table_without_key_that_was_begun_anew_counts_once(history):
    history.receive(*snapshot(row(1, "a", None), row(1, "a", None), lsn=100, done=False)).merge()
    history.receive(*snapshot(row(1, "a", None), row(1, "a", None), lsn=200)).merge()
    assert images(history) == {(1, "a"): 2}


def test_table_without_key_is_counted_anew_in_a_new_epoch(history):
    history.receive(*snapshot(row(1, "a", None), row(2, "b", None), lsn=100)).merge()
    history.receive(*snapshot(row(1, "a", None), lsn=10, epoch=2)).merge()
    assert images(history) == {(1, "a"): 1}


def test_reading_again_while_streaming_deletes_nothing(lake):
    """A blocking or incremental snapshot may read a part of the table only."""
    lake.receive(event("c", row(1, "a", "x"), lsn=10, prev=5), event("c", row(2, "b", "x"), lsn=20, prev=15)).merge()
    lake.receive(*snapshot(row(2, "b", "x"), lsn=50, prev=25)).merge()
    assert lake.rows() == [(1, "a", "x"), (2, "b", "x")]


def test_values_of_truncated_rows_are_kept(lake):
    lake.receive(event("c", row(1, "a", "x"), lsn=10, prev=5)).merge()
    lake.receive(event("t", lsn=30, prev=25)).merge()
    assert lake.select("id, name, big, _cdc_deleted") == [(1, "a", "x", True)]


def test_table_emptied_while_nobody_captured_is_empty_once_the_new_epoch_streams(lake, history):
    for table in (lake, history):
        table.receive(*snapshot(row(1, "a", None), lsn=100)).merge()
        silver = SilverTable(table.layout, table.contract, placeholder=PLACEHOLDER)
        SilverMerge(silver).raise_low_watermark(Position(2, 0, 0, 0))
        assert silver.reload().progress.low_watermark.epoch == 2
    assert (lake.rows(), images(history)) == ([], {})


def test_value_of_a_truncated_row_never_fills_the_row_that_came_after_it(lake):
    lake.receive(event("c", row(1, "a", "value of the truncated row"), lsn=10, prev=5)).merge()
    lake.receive(
        event("t", lsn=20, prev=15),
        event("c", row(1, "b", PLACEHOLDER), lsn=30, prev=25, old_key={"id": 9}),
        event("u", row(1, "c", PLACEHOLDER), lsn=40, prev=35),
    ).merge()
    assert lake.rows() == []
    assert lake.select("stream_offset", table=lake.layout.quarantine) == [(2,), (3,)]
