"""Changes in bronze become the right rows in silver, whatever their order, repetition and slicing."""

import uuid

import pytest

from connectors.changes.order import BEGINNING
from connectors.errors import CommitConflict, PositionLost
from connectors.lake.bronze import BronzeLog
from connectors.lake.silver.merge import SilverMerge
from connectors.lake.silver.progress import SilverProgress
from connectors.lake.silver.table import SilverTable
from connectors.streams.protocol import MESSAGES, RawBatch
from tests.events import PARTITION, PLACEHOLDER, event, raw_batch
from tests.silver_lake import KEYED, KEYLESS, Lake, row


@pytest.fixture
def root(tmp_path):
    """Where lakes are made; the same tests run with it on S3."""
    return f"{tmp_path}/a lake"


@pytest.fixture
def new_lake(root):
    return lambda contract=KEYED: Lake(f"{root}/{uuid.uuid4().hex}", contract)


@pytest.fixture
def lake(new_lake):
    return new_lake()


def test_insert_update_delete_and_tombstone(lake):
    lake.receive(
        event("r", row(1, "a", "x"), lsn=10),
        event("c", row(2, "b", "y"), lsn=20, prev=15),
        event("u", row(1, "A", "x"), lsn=30, prev=25),
        event("d", row(2, None, None), lsn=40, prev=35),
        (b'{"id":2}', None, []),
    ).merge()
    assert lake.rows() == [(1, "A", "x")]
    assert lake.select("id, name, big, _cdc_op, _cdc_lsn, _cdc_deleted") == [
        (1, "A", "x", "u", 30, False),
        (2, "b", "y", "d", 40, True),
    ]


def test_delete_keeps_what_silver_has(lake):
    lake.receive(event("c", row(1, "a", "x"), lsn=10)).merge()
    lake.receive(event("d", row(1, None, None), lsn=20, prev=15)).merge()
    assert lake.select("id, name, big, _cdc_deleted") == [(1, "a", "x", True)]


def test_same_events_again_change_nothing(lake):
    events = [
        event("c", row(1, "a", "x"), lsn=10, prev=5),
        event("u", row(1, "b", "y"), lsn=20, prev=15),
        event("d", row(1, None, None), lsn=30, prev=25),
        event("c", row(2, "c", "z"), lsn=40, prev=35),
    ]
    lake.receive(*events).merge()
    before = lake.select("*")
    lake.receive(*events[:2]).merge()
    lake.receive(*events[2:]).merge()
    assert lake.select("*") == before


def test_transactions_are_ordered_by_commit_not_by_lsn(lake):
    lake.receive(
        event("u", row(1, "committed first", "x"), lsn=90, prev=50),
        event("u", row(1, "committed last", "x"), lsn=80, prev=100),
    ).merge()
    assert lake.rows() == [(1, "committed last", "x")]


def test_snapshot_row_never_beats_a_change_open_while_it_was_read(lake):
    lake.receive(event("r", row(1, "old", "x"), lsn=100, prev=70)).merge()
    lake.receive(event("u", row(1, "new", "x"), lsn=90, prev=70)).merge()
    assert lake.rows() == [(1, "new", "x")]


def test_delete_and_insert_at_one_lsn_are_one_update(lake):
    lake.receive(
        event("c", row(1, "b", "x"), lsn=50, prev=40),
        event("d", row(1, None, None), lsn=50, prev=40),
    ).merge()
    assert lake.rows() == [(1, "b", "x")]


def test_later_epoch_beats_greater_lsn(lake):
    lake.receive(event("c", row(1, "old slot epoch", "x"), lsn=900, prev=800)).merge()
    lake.receive(event("r", row(1, "new slot epoch", "x"), lsn=5, epoch=2)).merge()
    assert lake.rows() == [(1, "new slot epoch", "x")]


@pytest.mark.parametrize("together", [True, False])
def test_value_left_out_keeps_the_newest_one_told(lake, together):
    batches = [
        event("c", row(1, "a", "first"), lsn=10, prev=5),
        event("u", row(1, "b", "second"), lsn=20, prev=15),
        event("u", row(1, "c", PLACEHOLDER), lsn=30, prev=25),
        event("u", row(1, "d", PLACEHOLDER), lsn=40, prev=35),
    ]
    for batch in [batches] if together else [[b] for b in batches]:
        lake.receive(*batch).merge()
    assert lake.rows() == [(1, "d", "second")]


def test_value_left_out_may_be_null(lake):
    lake.receive(event("c", row(1, "a", None), lsn=10, prev=5), event("u", row(1, "b", PLACEHOLDER), lsn=20, prev=15))
    lake.merge()
    assert lake.rows() == [(1, "b", None)]


@pytest.mark.parametrize("cut", range(6))
def test_moved_rows_take_along_what_the_changes_leave_out(lake, cut):
    """1 moves to 2 and on to 3, then another row moves onto 1; sliced anywhere."""
    events = [
        event("c", row(1, "a", "value of a"), lsn=10, prev=5),
        event("c", row(9, "z", "value of z"), lsn=11, prev=5),
        event("d", row(1, None, None), lsn=20, prev=15),
        event("c", row(2, "a", PLACEHOLDER), lsn=20, prev=15, old_key={"id": 1}),
        event("d", row(2, None, None), lsn=30, prev=15),
        event("c", row(3, "a", PLACEHOLDER), lsn=30, prev=15, old_key={"id": 2}),
        event("d", row(9, None, None), lsn=40, prev=35),
        event("c", row(1, "z", PLACEHOLDER), lsn=40, prev=35, old_key={"id": 9}),
        event("u", row(1, "zz", PLACEHOLDER), lsn=50, prev=45),
    ]
    lake.receive(*events[: cut + 2]).merge()
    lake.receive(*events[cut + 2 :]).merge()
    assert lake.rows() == [(1, "zz", "value of z"), (3, "a", "value of a")]


def test_row_that_moves_there_and_back_keeps_its_value(lake):
    lake.receive(event("c", row(1, "a", "value"), lsn=10, prev=5)).merge()
    lake.receive(
        event("d", row(1, None, None), lsn=20, prev=15),
        event("c", row(2, "a", PLACEHOLDER), lsn=20, prev=15, old_key={"id": 1}),
        event("d", row(2, None, None), lsn=30, prev=15),
        event("c", row(1, "a", PLACEHOLDER), lsn=30, prev=15, old_key={"id": 2}),
    ).merge()
    assert lake.rows() == [(1, "a", "value")]


def test_value_nobody_knows_goes_to_quarantine_not_to_silver(lake):
    lake.receive(
        event("u", row(1, "a", PLACEHOLDER), lsn=10, prev=5),
        event("c", row(2, "b", PLACEHOLDER), lsn=20, prev=5, old_key={"id": 7}),
        event("c", row(3, "c", "x"), lsn=30, prev=5),
    )
    [report] = lake.merge()
    assert report.rejected == 2
    assert lake.rows() == [(3, "c", "x")]
    reasons = lake.select("stream_offset, reason", table=lake.layout.quarantine)
    assert [offset for offset, _ in reasons] == [0, 1]
    assert all("TOAST value is unknown" in reason for _, reason in reasons)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"{broken", "not JSON"),
        (b"[1]", "no operation"),
        (b'{"op":"z"}', "unknown operation z"),
        (b'{"op":"c","after":{"id":1},"source":{}}', "no LSN"),
        (event("c", row("seven", "a", "x"), lsn=1)[1], '"id" can not be read: seven'),
        (event("c", row(None, "a", "x"), lsn=1)[1], "no value for the key"),
        (event("u", None, lsn=1)[1], "no image"),
    ],
)
def test_unreadable_message_goes_to_quarantine_and_the_rest_goes_on(lake, value, reason):
    headers = [("lakehouse.epoch", b"1")]
    lake.receive((b"k", value, headers), event("c", row(1, "a", "x"), lsn=10))
    [report] = lake.merge()
    assert (report.changes, report.rejected) == (2, 1)
    [(kept, why)] = lake.select("value, reason", table=lake.layout.quarantine)
    assert kept == value
    assert reason in why
    assert lake.rows() == [(1, "a", "x")]


@pytest.mark.parametrize("headers", [None, [], [("lakehouse.epoch", b"\xff")], [("lakehouse.epoch", b"one")]])
def test_message_without_epoch_goes_to_quarantine(lake, headers):
    key, value, _ = event("c", row(1, "a", "x"), lsn=10)
    lake.receive((key, value, headers)).merge()
    assert lake.select("reason", table=lake.layout.quarantine) == [("no header lakehouse.epoch",)]


def test_old_key_that_is_no_text_stops_nothing(lake):
    key, value, headers = event("c", row(1, "a", "x"), lsn=10)
    lake.receive((key, value, [*headers, ("__debezium.oldkey", b"\xff")])).merge()
    assert lake.rows() == [(1, "a", "x")]


def test_merge_run_again_quarantines_nothing_twice(lake):
    lake.receive((b"k", b"{broken", [("lakehouse.epoch", b"1")]))
    silver = SilverTable(lake.layout, KEYED, placeholder=PLACEHOLDER)
    stale = SilverTable(lake.layout, KEYED, placeholder=PLACEHOLDER)
    files = lake.bronze.files()["public.t"]
    SilverMerge(silver).merge_changes(files, up_to_batch=1)
    stale.reload().progress = SilverProgress(batch=0, low_watermark=BEGINNING)
    SilverMerge(stale).merge_changes(files, up_to_batch=1)
    assert len(lake.select("reason", table=lake.layout.quarantine)) == 1


def test_messages_with_schemas_are_understood(lake):
    key, value, headers = event("c", row(1, "a", "x"), lsn=10)
    lake.receive((key, b'{"schema":{"type":"struct"},"payload":' + value + b"}", headers)).merge()
    assert lake.rows() == [(1, "a", "x")]


def test_merge_without_effect_still_advances(lake):
    lake.receive(event("c", row(1, "a", "x"), lsn=10)).merge()
    lake.receive(event("c", row(1, "a", "x"), lsn=10)).merge()
    assert SilverTable(lake.layout, KEYED, placeholder=PLACEHOLDER).batch == 2
    assert lake.merge() == []


def test_slices_give_the_same_rows(new_lake):
    def run(rows):
        lake = new_lake()
        for n in range(12):
            lake.receive(
                event("c" if n < 4 else "u", row(n % 4, f"n{n}", PLACEHOLDER if n > 7 else f"b{n}"), lsn=n + 1)
            )
        return len(lake.merge(rows=rows)), lake.rows()

    many, few = run(1), run(10**6)
    assert (many[0], few[0]) == (12, 1)
    assert many[1] == few[1]


def test_table_without_key_keeps_every_image(new_lake):
    lake = new_lake(KEYLESS)
    same = row(1, "a", "x")
    lake.receive(
        event("c", same, lsn=10),
        event("c", same, lsn=10),
        event("u", row(1, "b", "x"), before=same, lsn=20),
        event("d", same, lsn=30),
    ).merge()
    images = lake.select("id, name, big, _cdc_weight, _cdc_offset")
    assert images == [
        (1, "a", "x", -1, 2),
        (1, "a", "x", -1, 3),
        (1, "a", "x", 1, 0),
        (1, "a", "x", 1, 1),
        (1, "b", "x", 1, 2),
    ]


def test_two_writers_of_one_batch_leave_one(lake):
    other = BronzeLog(lake.layout)
    lake.receive(event("c", row(1, "a", "x"), lsn=10))
    with pytest.raises(CommitConflict, match="another writer"):
        other.append(raw_batch([event("c", row(1, "a", "x"), lsn=10)]), tables={"s.public.t": "public.t"})
    other.reload()
    assert other.positions([PARTITION]) == {PARTITION: 1}


def test_recreated_topic_is_a_decision(lake):
    lake.receive(event("c", row(1, "a", "x"), lsn=10))
    with pytest.raises(PositionLost, match="recreated"):
        BronzeLog(lake.layout).positions([PARTITION._replace(topic_id="another")])


def test_successor_of_a_topic_that_was_given_up_is_read_from_its_beginning(lake):
    lake.receive(event("c", row(1, "a", "x"), lsn=10))
    lake.bronze.append(RawBatch(MESSAGES.empty_table(), {PARTITION._replace(topic_id=""): 0}), tables={})
    successor = PARTITION._replace(topic_id="another")
    assert BronzeLog(lake.layout).positions([successor]) == {successor: 0}


def test_move_sent_again_takes_nothing_from_the_row_that_came_after_it(lake):
    sent = [
        event("d", row(1, None, None), lsn=20, prev=15),
        event("c", row(2, "a", PLACEHOLDER), lsn=20, prev=15, old_key={"id": 1}),
        event("c", row(1, "another row", "its value"), lsn=30, prev=25),
    ]
    lake.receive(event("c", row(1, "a", "value of a"), lsn=10, prev=5), *sent).merge()
    lake.receive(*sent, event("u", row(2, "b", PLACEHOLDER), lsn=40, prev=35)).merge()
    assert lake.rows() == [(1, "another row", "its value"), (2, "b", "value of a")]
    assert not lake.has_quarantine()


@pytest.mark.parametrize("together", [True, False])
def test_value_of_a_deleted_row_never_fills_the_row_that_came_after_it(lake, together):
    """The row that came after could not be read, and is in quarantine; so are the changes that need its value."""
    before = event("c", row(1, "a", "value of the deleted row"), lsn=10, prev=5)
    after = [
        event("d", row(1, None, None), lsn=20, prev=15),
        event("c", row(1, "b", PLACEHOLDER), lsn=30, prev=25, old_key={"id": 9}),
        event("u", row(1, "c", PLACEHOLDER), lsn=40, prev=35),
    ]
    if together:
        lake.receive(before, *after).merge()
    else:
        lake.receive(before).merge()
        lake.receive(*after).merge()
    assert lake.rows() == []
    assert lake.select("stream_offset", table=lake.layout.quarantine) == [(2,), (3,)]


@pytest.mark.parametrize("cut", [0, 1, 2, 4])
def test_row_that_moved_takes_nothing_from_a_deleted_row_that_had_its_key(lake, cut):
    """Of the row that moves from 9 to 1 and on to 2 nobody knows the value. Moves are not cut in two here."""
    events = [
        event("c", row(1, "a", "value of the deleted row"), lsn=10, prev=5),
        event("d", row(1, None, None), lsn=20, prev=15),
        event("d", row(9, None, None), lsn=30, prev=25),
        event("c", row(1, "b", PLACEHOLDER), lsn=30, prev=25, old_key={"id": 9}),
        event("d", row(1, None, None), lsn=40, prev=35),
        event("c", row(2, "b", PLACEHOLDER), lsn=40, prev=35, old_key={"id": 1}),
    ]
    for part in filter(None, (events[:cut], events[cut:])):
        lake.receive(*part).merge()
    assert lake.rows() == []
    assert (5,) in lake.select("stream_offset", table=lake.layout.quarantine)


def test_unknown_value_of_a_row_that_is_deleted_later_is_missed_by_nobody(lake):
    lake.receive(event("u", row(1, "a", PLACEHOLDER), lsn=10, prev=5), event("d", row(1, None, None), lsn=20, prev=15))
    lake.merge()
    assert lake.select("id, _cdc_op, _cdc_deleted") == [(1, "d", True)]
    assert not lake.has_quarantine()
