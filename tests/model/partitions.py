"""The state machine of a table whose changes travel by several stream partitions."""

from zlib import crc32

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from connectors.changes.markers import Marker
from connectors.lake.silver.merge import SilverMerge
from connectors.streams.protocol import StreamPartition
from tests.events import raw_batch
from tests.model.debezium import Logical
from tests.model.machine import ALL, COUNTS, KEYED, KeyedSource
from tests.silver_lake import Lake


class PartitionedLake(Lake):
    """A lake that knows the order of changes up to a marker."""

    @property
    def through(self):
        return self.bronze.through


class PartitionedSource(KeyedSource):
    """Messages go to stream partitions by their keys, and arrive at different speeds."""

    def __init__(self):
        super().__init__()
        self.lake = PartitionedLake(self.folder.name, KEYED)
        self.sent = 0
        self.queues = [[], []]
        self.offsets = [0, 0]
        self.markers = {}

    @rule()
    def add_partition(self):
        self.distribute()
        self.queues.append([])
        self.offsets.append(0)

    @precondition(lambda self: self.connector.has_slot)
    @rule()
    def mark(self):
        self.database.write_log(Logical(self.database.next_lsn()))

    @precondition(lambda self: self.connector.has_slot)
    @rule(count=COUNTS)
    def stream(self, count):
        self.connector.stream(count)

    @rule(count=COUNTS, chosen=st.integers(0, 3))
    def receive(self, count, chosen):
        self.distribute()
        number = chosen % len(self.queues)
        if messages := [message for _, message in self.queues[number][:count]]:
            partition = StreamPartition("s.public.t", "topic-id", number)
            raw = raw_batch(messages, first_offset=self.offsets[number], partition=partition)
            tables, partitions = {"s.public.t": "public.t"}, {"s.public.t": len(self.queues)}
            self.lake.bronze.append(raw, tables=tables, partitions=partitions)
            self.offsets[number] += len(messages)
            del self.queues[number][:count]

    @rule()
    def confirm(self):
        """The newest marker that everything before it is drained of."""
        waiting = min((queue[0][0] for queue in self.queues if queue), default=self.sent)
        reached = [marker for n, marker in self.markers.items() if n < waiting]
        if reached:
            self.lake.bronze.confirm(max(reached))

    @rule()
    def merge(self):
        """All that is pending is one slice, up to the newest marker."""
        self.confirm()
        silver, through = self.lake.silver(), self.lake.bronze.through
        if files := self.lake.bronze.files(after_batch=silver.batch).get("public.t", []):
            pending = self.lake.fresh()
            SilverMerge(silver).merge_changes(files, up_to_batch=self.lake.bronze.batch, through=through)
            assert pending == self.lake.seen()
        if through.epoch == self.connector.epoch:
            self.begin_epoch()

    def distribute(self):
        for n, message in enumerate(self.connector.topic[self.sent :], self.sent):
            if isinstance(message, Marker):
                self.markers[n] = message
            else:
                self.queues[crc32(message[0]) % len(self.queues)].append((n, message))
        self.sent = len(self.connector.topic)

    def finish(self):
        self.mark()
        self.stream(ALL)
        for number in range(len(self.queues)):
            self.receive(ALL, number)
        self.merge()
