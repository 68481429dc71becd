"""Changed keys of which the second half never arrives are found, wherever micro-batches are cut, and no others."""

import duckdb
import pytest

from connectors.changes.key_changes import NO_HALF, HalfChange, KeyChanges, follow_key_changes, has_first_halves
from connectors.changes.markers import Marker
from connectors.lake.bronze import BronzeLog
from connectors.postgres.identifiers import TableName
from tests.events import PARTITION, event, raw_batch
from tests.silver_lake import KEYED, row
from tests.unit.test_rebuild import Source

TORN = {PARTITION.topic: Marker(1, 50)}


def change(id_, op, *, lsn, prev=50, epoch=1, header=None):
    key, value, headers = event(op, row(id_, "a", "x"), lsn=lsn, prev=prev, epoch=epoch)
    return key, value, [*headers, *([(header, b'{"id": 0}')] if header else [])]


def first(id_, *, lsn, **place):
    return change(id_, "d", lsn=lsn, header="__debezium.newkey", **place)


def second(id_, *, lsn, **place):
    return change(id_, "c", lsn=lsn, header="__debezium.oldkey", **place)


def tombstone(id_):
    return change(id_, "d", lsn=0)[0], None, []


HALF, OTHER = [first(1, lsn=60), tombstone(1)], second(2, lsn=60)
RESYNCED = (*change(7, "r", lsn=9)[:2], [("lakehouse.epoch", b"1"), ("lakehouse.after", b"9")])
STRANGE = [(b"", b"{", []), (b"", b"\xff", [("lakehouse.epoch", b"\xff")]), (None, b"{}", [("lakehouse.epoch", b"x")])]
NOISE = [
    (b"", b"{", [("lakehouse.epoch", b"1")]),
    (b"", b"\xff", [("lakehouse.epoch", b"1")]),
    (b"", b"[]", [("lakehouse.epoch", b"1")]),
    (b"", b'{"source": 5}', [("lakehouse.epoch", b"1")]),
    (b"", b'{"source": {"lsn": "x", "sequence": 7}}', [("lakehouse.epoch", b"1")]),
    (b"", b'{"source": {"lsn": 1e99}}', [("lakehouse.epoch", b"1")]),
]
CASES = {
    "whole": ([*HALF, OTHER], {}),
    "row of a resync in between": ([*HALF, RESYNCED, OTHER], {}),
    "two after one another": ([*HALF, OTHER, first(3, lsn=70), tombstone(3), second(4, lsn=70)], {}),
    "another change follows": ([*HALF, change(5, "c", lsn=70)], TORN),
    "another change with a smaller LSN follows": ([*HALF, change(5, "c", lsn=40, prev=65)], TORN),
    "another half follows": ([*HALF, first(3, lsn=70), tombstone(3), second(4, lsn=70)], TORN),
    "lost twice": (
        [*HALF, first(3, lsn=70, prev=66), change(5, "c", lsn=80, prev=66)],
        {PARTITION.topic: Marker(1, 66)},
    ),
    "sent again": ([*HALF, *HALF, OTHER], {}),
    "sent again from before": ([*HALF, change(5, "c", lsn=55), *HALF, OTHER], {}),
    "new epoch": ([*HALF, change(5, "r", lsn=90, epoch=2)], {}),
    "nothing follows": (HALF, {}),
    "somebody else's messages in between": ([HALF[0], *STRANGE, HALF[1], *STRANGE, OTHER], {}),
    "somebody else's messages, then another change": ([*HALF, *STRANGE, change(5, "c", lsn=70)], TORN),
    "unreadable messages in between": ([HALF[0], *NOISE, HALF[1], *NOISE, OTHER], {}),
    "unreadable messages, which may be the other half": ([*HALF, *NOISE, change(5, "c", lsn=70)], {}),
    "no key changed": ([change(5, "c", lsn=40), change(5, "d", lsn=60), tombstone(5), change(6, "c", lsn=60)], {}),
}


def followed(messages, *, cut):
    """What is torn among messages that arrive in two polls, and what is still open then."""
    still_open, torn = {}, {}
    for part, offset in ((messages[:cut], 0), (messages[cut:], cut)):
        raw = raw_batch(part, first_offset=offset)
        if not still_open and not has_first_halves(raw.messages):
            continue
        found = follow_key_changes(duckdb.connect(), raw.messages, raw.positions, before=still_open)
        still_open = {p: half for p, half in {**still_open, **found.open}.items() if half != NO_HALF}
        torn = {**torn, **{t: max(m, torn.get(t, m)) for t, m in found.torn.items()}}
    return torn, still_open


@pytest.mark.parametrize("name", CASES)
def test_second_halves_that_never_come_are_found(name):
    messages, torn = CASES[name]
    for cut in range(len(messages) + 1):
        assert followed(messages, cut=cut)[0] == torn


def test_half_stays_open_until_a_change_follows():
    assert followed(HALF, cut=1)[1] == followed([*HALF, RESYNCED], cut=2)[1] == {PARTITION: HalfChange(1, 50, 60)}
    assert followed([*HALF, OTHER], cut=2)[1] == {}


def test_partitions_of_other_topics_are_not_followed():
    raw = raw_batch([*HALF, change(5, "c", lsn=70)])
    assert follow_key_changes(duckdb.connect(), raw.messages, [], before={}) == KeyChanges()


def test_change_log_keeps_what_is_open_and_what_is_torn(tmp_path):
    source = Source(str(tmp_path / "lake"), KEYED)
    table, topics = TableName("public", "t"), {PARTITION.topic: "public.t"}
    bronze = BronzeLog(source.layout)
    half = HalfChange(1, 50, 60)
    assert (bronze.open_halves([PARTITION]), bronze.torn(table)) == ({}, Marker(0, 0))
    bronze.append(raw_batch(HALF), tables=topics, key_changes=KeyChanges({PARTITION: half}))
    for reopened in (bronze, BronzeLog(source.layout)):
        assert reopened.open_halves([PARTITION]) == {PARTITION: half}
    lost = KeyChanges({PARTITION: NO_HALF}, TORN)
    bronze.append(raw_batch([OTHER], first_offset=2), tables=topics, key_changes=lost)
    bronze.append(raw_batch([OTHER], first_offset=3), tables=topics)
    for reopened in (bronze, BronzeLog(source.layout)):
        assert (reopened.open_halves([PARTITION]), reopened.torn(table)) == ({}, Marker(1, 50))
        assert reopened.torn(TableName("public", "other")) == Marker(0, 0)
    older = KeyChanges({}, {PARTITION.topic: Marker(1, 40)})
    bronze.append(raw_batch([OTHER], first_offset=4), tables=topics, key_changes=older)
    assert BronzeLog(source.layout).torn(table) == Marker(1, 50)


def test_half_that_is_open_behind_a_marker_stays_one(tmp_path):
    source = Source(str(tmp_path / "lake"), KEYED)
    table, topics = TableName("public", "t"), {PARTITION.topic: "public.t"}
    bronze = BronzeLog(source.layout)
    bronze.append(raw_batch(HALF), tables=topics, key_changes=KeyChanges({PARTITION: HalfChange(1, 50, 60)}))
    for marker, torn in ((Marker(1, 50), Marker(0, 0)), (Marker(1, 51), Marker(1, 50))):
        bronze.confirm(marker, tables=topics, partitions=[PARTITION])
        for reopened in (bronze, BronzeLog(source.layout)):
            assert reopened.torn(table) == torn
            assert bool(reopened.open_halves([PARTITION])) is not bool(torn.lsn)
