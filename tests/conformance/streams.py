"""What every change stream must do. A test module of a stream subclasses `StreamConformance` and provides `broker`."""

import pytest

from connectors.errors import PositionLost
from connectors.lake.bronze import BronzeLog
from connectors.lake.layout import LakeLayout

ALL = {"max_messages": 10**6, "max_bytes": 2**30}


def message(n):
    return f"key {n}".encode(), f"value {n}".encode(), [("lakehouse.epoch", b"1"), ("empty", b"")]


def messages(*numbers):
    return [message(n) for n in numbers]


class StreamConformance:
    """The fixture `broker` has `open()`, which makes a reader, `topic`, and what `MemoryLog` has to fill topics."""

    def read(self, stream, positions=None, until=None, **limits):
        """All polls from some positions, by default from the first message, to some others, by default the end."""
        until = stream.end_positions() if until is None else until
        stream.seek(dict.fromkeys(until, 0) if positions is None else positions)
        batches = []
        while (batch := stream.poll(until, **{**ALL, **limits})).positions:
            batches.append(batch)
        return batches

    def values(self, batches):
        return [value for batch in batches for value in batch.messages["value"].to_pylist()]

    def test_source_without_topics_has_no_positions(self, broker):
        broker.create(f"other{broker.topic}")
        assert broker.open().end_positions() == {}

    def test_topic_that_appears_later_is_found(self, broker):
        stream = broker.open()
        assert stream.end_positions() == {}
        broker.create(broker.topic, partitions=2)
        assert [(p.topic, p.partition) for p in sorted(stream.end_positions())] == [
            (broker.topic, 0),
            (broker.topic, 1),
        ]
        assert self.read(stream) == []

    def test_messages_arrive_as_they_were_sent(self, broker):
        broker.create(broker.topic)
        sent = [message(1), (None, b"no key", None), (b"tombstone", None, []), (b"", b"\xff\x00", [("h", b"\xfe")])]
        broker.add(broker.topic, sent)
        [batch] = self.read(broker.open())
        got = batch.messages.to_pylist()
        assert [(m["key"], m["value"], m["headers"] or []) for m in got] == [(k, v, h or []) for k, v, h in sent]
        assert {m["topic"] for m in got} == {broker.topic}
        assert all(m["stream_time"] is not None for m in got)
        offsets = [m["stream_offset"] for m in got]
        assert offsets == sorted(set(offsets))

    def test_stream_partitions_keep_their_own_order(self, broker):
        broker.create(broker.topic, partitions=2)
        broker.add(broker.topic, messages(1, 2), partition=0)
        broker.add(broker.topic, messages(3, 4), partition=1)
        got = [row for batch in self.read(broker.open()) for row in batch.messages.to_pylist()]
        of = {n: [row["value"] for row in got if row["stream_partition"] == n] for n in (0, 1)}
        assert of == {0: [b"value 1", b"value 2"], 1: [b"value 3", b"value 4"]}

    def test_polls_are_bounded(self, broker):
        broker.create(broker.topic)
        broker.add(broker.topic, messages(*range(20)))
        stream = broker.open()
        sent = [value for _, value, _ in messages(*range(20))]
        batches = self.read(stream, max_messages=7)
        assert max(len(batch.messages) for batch in batches) <= 7
        assert self.values(batches) == sent
        # Bytes are known once messages are there: a poll stops behind the limit, and loses nothing.
        assert self.values(self.read(stream, max_bytes=1)) == sent

    def test_nothing_behind_the_end_positions_is_read(self, broker):
        broker.create(broker.topic)
        broker.add(broker.topic, messages(1, 2))
        stream = broker.open()
        ends = stream.end_positions()
        broker.add(broker.topic, messages(3))
        batches = self.read(stream, until=ends)
        assert self.values(batches) == [b"value 1", b"value 2"]
        assert batches[-1].positions == ends
        assert self.values(self.read(stream, ends)) == [b"value 3"]

    def test_another_reader_resumes_from_the_positions_in_bronze(self, broker, tmp_path):
        broker.create(broker.topic, partitions=2)
        broker.add(broker.topic, messages(*range(5)), partition=0)
        broker.add(broker.topic, messages(*range(5, 9)), partition=1)
        layout, read = LakeLayout(str(tmp_path / "lake"), "s"), []
        while True:
            bronze, stream = BronzeLog(layout), broker.open()
            ends = stream.end_positions()
            stream.seek(bronze.positions(ends))
            batch = stream.poll(ends, **{**ALL, "max_messages": 2})
            if not batch.positions:
                break
            bronze.append(batch, tables={broker.topic: "public.t"})
            assert BronzeLog(layout).positions(batch.positions) == batch.positions
            read.append(batch)
        assert sorted(self.values(read)) == [value for _, value, _ in messages(*range(9))]
        assert BronzeLog(layout).positions(ends) == ends

    def test_positions_only_grow(self, broker):
        broker.create(broker.topic)
        broker.add(broker.topic, messages(*range(6)))
        stream = broker.open()
        positions = [n for batch in self.read(stream, max_messages=1) for n in batch.positions.values()]
        assert positions[0] > 0
        assert positions == sorted(set(positions))

    def test_position_behind_the_end_is_lost(self, broker):
        broker.create(broker.topic)
        broker.add(broker.topic, messages(1))
        stream = broker.open()
        with pytest.raises(PositionLost, match=r"is to be read from \d+, but holds"):
            stream.seek({p: end + 10 for p, end in stream.end_positions().items()})

    @pytest.mark.parametrize("read", [0, 1])
    def test_position_whose_messages_expired_is_lost(self, broker, read):
        broker.create(broker.topic)
        broker.add(broker.topic, messages(*range(3)))
        stream = broker.open()
        stream.seek(dict.fromkeys(stream.end_positions(), 0))
        positions = dict.fromkeys(stream.end_positions(), 0)
        if read:
            positions = stream.poll(stream.end_positions(), **{**ALL, "max_messages": read}).positions
        broker.expire(broker.topic, 2)
        with pytest.raises(PositionLost, match="is to be read from"):
            broker.open().seek(positions)

    def test_recreated_topic_is_told_from_the_old_one(self, broker, tmp_path):
        broker.create(broker.topic)
        broker.add(broker.topic, messages(1))
        bronze = BronzeLog(LakeLayout(str(tmp_path / "lake"), "s"))
        [batch] = self.read(broker.open())
        bronze.append(batch, tables={})
        broker.create(broker.topic)
        with pytest.raises(PositionLost, match="recreated"):
            bronze.positions(broker.open().end_positions())

    def test_acknowledging_changes_nothing_for_readers(self, broker):
        broker.create(broker.topic)
        broker.add(broker.topic, messages(1, 2))
        stream = broker.open()
        self.read(stream)
        stream.acknowledge(stream.end_positions())
        assert self.values(self.read(broker.open())) == [b"value 1", b"value 2"]
