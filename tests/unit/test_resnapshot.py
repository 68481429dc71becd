"""A table that is resynced while changes go on: rows are read later than the marker behind which they count."""

import pytest

from connectors.changes.markers import Marker
from connectors.changes.order import Position
from connectors.lake.silver.baseline import Baseline, BaselineKind
from connectors.lake.silver.table import SilverTable
from tests.events import PLACEHOLDER, event
from tests.silver_lake import KEYED, Lake, row

AFTER, READ, BEHIND = 100, 200, 300


class Read(Lake):
    """A lake whose silver table begins with a reading, as a rebuild after a resync does."""

    def silver(self):
        return SilverTable(
            self.layout,
            KEYED,
            placeholder=PLACEHOLDER,
            baseline=Baseline(BaselineKind.RESYNC, 0, Position(1, AFTER, 0, 0), complete_at=Marker(1, BEHIND)),
        )

    def finish(self, **limits):
        """The marker behind the reading arrives, and all is merged."""
        self.bronze.confirm(Marker(1, BEHIND))
        self.merge(**limits)
        return self


def read(*values, after=AFTER):
    message = event("r", row(*values), lsn=READ, prev=None)
    return (*message[:2], [*message[2], ("lakehouse.after", str(after).encode())])


@pytest.fixture
def lake(tmp_path):
    return Read(str(tmp_path))


def test_change_that_arrives_before_the_row_it_is_of(lake):
    """The row was read at 200 and changed at 210; the reader was slower than the stream, a slice ends between them."""
    lake.receive(event("u", row(1, "new", PLACEHOLDER), lsn=210, prev=205)).receive(read(1, "old", "x"))
    lake.finish(rows=1)
    assert lake.rows() == [(1, "new", "x")]


def test_row_that_moved_before_another_got_its_key(lake):
    """All of it before the reading: 1 moved to 2, and another row got the key 1."""
    lake.receive(
        event("d", row(1, None, None), lsn=110, prev=105),
        event("c", row(2, "a", PLACEHOLDER), lsn=110, prev=105, old_key={"id": 1}),
        event("c", row(1, "b", "value of b"), lsn=120, prev=115),
        read(1, "b", "value of b"),
        read(2, "a", "value of a"),
    ).finish()
    assert lake.rows() == [(1, "b", "value of b"), (2, "a", "value of a")]


def test_change_of_a_row_that_was_deleted_before_the_reading_needs_no_value(lake):
    lake.receive(
        event("u", row(1, "a", PLACEHOLDER), lsn=110, prev=105),
        event("d", row(1, None, None), lsn=120, prev=115),
        read(2, "b", "x"),
    ).finish()
    assert lake.rows() == [(2, "b", "x")]
    assert not lake.has_quarantine()


def moved(lsn, *, before=1, after=2):
    """A row leaves a value out as it gets another key."""
    return (
        event("d", row(before, None, None), lsn=lsn, prev=lsn - 5),
        event("c", row(after, "moved", PLACEHOLDER), lsn=lsn, prev=lsn - 5, old_key={"id": before}),
    )


def test_row_that_moved_while_the_table_was_read_takes_its_value_along(lake):
    lake.receive(read(1, "a", "x"), *moved(250)).finish()
    assert lake.rows() == [(2, "moved", "x")]
    assert not lake.has_quarantine()


def test_row_that_moved_twice_while_the_table_was_read_takes_its_value_along(lake):
    lake.receive(*moved(150), read(2, "moved", "x"), *moved(250, before=2, after=3)).finish(rows=1)
    assert lake.rows() == [(3, "moved", "x")]
    assert not lake.has_quarantine()


@pytest.mark.parametrize("rows", [1, 100])
def test_value_is_not_guessed_where_another_row_has_taken_the_old_key(lake, rows):
    """Whether the reading saw the row that moved, or the one that came after it, nobody can tell."""
    lake.receive(read(1, "b", "value of b"), *moved(250)).receive(event("c", row(1, "b", "y"), lsn=260, prev=255))
    lake.finish(rows=rows)
    assert lake.rows() == [(1, "b", "y")]
    assert lake.has_quarantine()


def test_value_is_not_guessed_where_a_later_change_can_not_be_read(lake):
    unreadable = event("c", row("no number", "b", "y"), lsn=260, prev=255)
    lake.receive(read(1, "a", "x"), *moved(250)).receive(unreadable).finish(rows=1)
    assert lake.rows() == []
    assert len(lake.select("*", table=lake.layout.quarantine)) == 2


def test_row_that_moved_behind_the_reading_takes_its_value_along(lake):
    lake.receive(
        read(1, "a", "x"),
        event("d", row(1, None, None), lsn=350, prev=345),
        event("c", row(2, "a", PLACEHOLDER), lsn=350, prev=345, old_key={"id": 1}),
    ).finish()
    assert lake.rows() == [(2, "a", "x")]


def test_nothing_is_merged_before_all_rows_are_there(lake):
    lake.receive(event("u", row(1, "new", PLACEHOLDER), lsn=210, prev=205)).merge()
    assert lake.rows() == []
    lake.receive(read(1, "old", "x")).finish()
    assert lake.rows() == [(1, "new", "x")]


def test_rows_that_were_gone_when_the_table_was_read_leave_silver(lake):
    """The table was captured before, removed from the publication, and added again."""
    SilverTable(lake.layout, KEYED, placeholder=PLACEHOLDER)
    before = Lake(lake.layout.root)
    before.receive(event("c", row(7, "gone", "x"), lsn=50, prev=45)).merge()
    assert before.rows() == [(7, "gone", "x")]
    lake.offset = before.offset
    lake.bronze.reload()
    lake.receive(read(1, "a", "x")).finish()
    assert lake.rows() == [(1, "a", "x")]


def test_progress_does_not_go_back_to_the_beginning_of_a_reading(lake):
    """Silver was merged on while the rows were read."""
    for n in range(5):
        lake.receive(event("c", row(n, "before", "x"), lsn=10 + n, prev=9 + n))
    before = Lake(lake.layout.root)
    before.bronze.reload()
    before.merge()
    lake.receive(read(1, "read", "y")).finish(rows=1)
    assert lake.rows() == [(1, "read", "y")]
    assert lake.silver().batch > 5


def test_rows_of_another_reading_are_not_this_tables(lake):
    """A resync that was killed, or that still goes on: its rows are newer than the changes they would be among."""
    lake.receive(read(1, "killed", "x", after=AFTER + 5), read(2, "own", "y")).finish()
    lake.receive(read(2, "the next", "z", after=BEHIND + 50)).merge()
    assert lake.rows() == [(2, "own", "y")]


def test_unreadable_row_of_a_reading_is_quarantined_once(lake):
    lake.receive(read("no number", "a", "x"), read(2, "b", "y")).finish(rows=1)
    assert lake.rows() == [(2, "b", "y")]
    assert len(lake.select("*", table=lake.layout.quarantine)) == 1
