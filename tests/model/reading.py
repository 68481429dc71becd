"""The state machine of a table that is resynced now and then, while its changes go on to be captured."""

import json

from hypothesis.stateful import precondition, rule

from connectors.changes.markers import Marker
from connectors.changes.order import Position
from connectors.lake.silver.baseline import FIRST_EVENT, Baseline, BaselineKind
from connectors.lake.silver.merge import SilverMerge
from connectors.lake.silver.table import SilverTable
from tests.events import PLACEHOLDER
from tests.model.debezium import Logical
from tests.model.machine import ALL, COUNTS, KEYED, KeyedSource
from tests.silver_lake import Lake


class ReadLake(Lake):
    """A lake whose silver table goes on from the newest reading that is complete."""

    baseline = FIRST_EVENT

    def silver(self):
        return SilverTable(self.layout, KEYED, placeholder=PLACEHOLDER, baseline=self.baseline)


class Reading:
    """One reading: it begins with a marker; the rows are read somewhat later, and sent at their own speed."""

    def __init__(self, epoch, after, batch):
        self.epoch, self.after, self.batch = epoch, after, batch
        self.rows = None


class ReadSource(KeyedSource):
    def __init__(self):
        super().__init__()
        self.lake = ReadLake(self.folder.name, KEYED)
        self.reading = None
        self.windows = []
        self.received = 0

    @precondition(lambda self: self.connector.is_streaming and self.reading is None)
    @rule()
    def begin_reading(self):
        self.reading = Reading(self.connector.epoch, self.mark(), self.lake.bronze.batch)

    @precondition(lambda self: self.reading and self.reading.rows is None)
    @rule()
    def read(self):
        lsn, header = self.database.next_lsn(), ("lakehouse.after", str(self.reading.after).encode())
        rows = [self.connector.read(row, lsn=lsn, snapshot="true") for row in self.database.rows.values()]
        self.reading.rows = [(key, value, [*headers, header]) for key, value, headers in rows]

    @precondition(lambda self: self.reading and self.reading.rows)
    @rule(count=COUNTS)
    def send(self, count):
        self.connector.topic += self.reading.rows[:count]
        del self.reading.rows[:count]

    @precondition(lambda self: self.reading and self.reading.rows == [])
    @rule()
    def end_reading(self):
        reading, behind = self.reading, self.mark()
        first, complete_at = Position(reading.epoch, reading.after, 0, 0), Marker(reading.epoch, behind)
        self.lake.baseline = Baseline(BaselineKind.RESYNC, reading.batch, first, complete_at)
        self.windows.append((reading.epoch, reading.after, behind))
        self.reading = None

    @precondition(lambda self: self.reading)
    @rule()
    def kill_reading(self):
        self.windows.append((self.reading.epoch, self.reading.after, self.database.next_lsn()))
        self.reading = None

    @precondition(lambda self: self.connector.has_slot and self.reading is None)
    @rule()
    def lose_slot(self):
        self.connector.lose_slot(restored=False)

    @precondition(lambda self: self.connector.has_slot)
    @rule(count=COUNTS)
    def receive(self, count, merged=False):
        self.connector.stream(count)
        arrived = self.connector.topic[self.received :]
        self.received += len(arrived)
        if messages := [message for message in arrived if not isinstance(message, Marker)]:
            self.lake.receive(*messages)
        for marker in (message for message in arrived if isinstance(message, Marker)):
            self.lake.bronze.confirm(marker)
        if merged:
            self.merge(ALL)

    def mark(self):
        lsn = self.database.next_lsn()
        self.database.write_log(Logical(lsn))
        return lsn

    def finish(self):
        if self.reading:
            if self.reading.rows is None:
                self.read()
            if self.reading.rows:
                self.send(ALL)
            self.end_reading()
        while not self.connector.is_streaming:
            self.connector.stream(ALL)
        self.mark()
        super().finish()

    def begin_epoch(self):
        silver, connector = self.lake.silver(), self.connector
        reached = max(self.lake.baseline.position, silver.progress.low_watermark)
        low_watermark = max(reached, connector.low_watermark(reached))
        if silver.progress.low_watermark < low_watermark:
            SilverMerge(silver).raise_low_watermark(low_watermark)

    def check(self, found, expected):
        """A row that moved while the table was read may be in quarantine, if another one got its old key: told."""
        if not (self.lake.has_quarantine() and any(map(self.is_doubtful, self.connector.topic))):
            assert found == expected

    def is_doubtful(self, message):
        if isinstance(message, Marker) or message[1] is None or PLACEHOLDER.encode() not in message[1]:
            return False
        old_key = dict(message[2]).get("__debezium.oldkey")
        return old_key is not None and any(
            self.is_within(window, message)
            and any(
                self.is_within(window, other)
                and json.loads(other[0]) == json.loads(old_key)
                and json.loads(other[1])["op"] not in "dr"
                for other in self.connector.topic
                if not isinstance(other, Marker) and other[1] is not None
            )
            for window in self.windows
        )

    @staticmethod
    def is_within(window, message):
        epoch, after, behind = window
        headers, source = dict(message[2]), json.loads(message[1])["source"]
        position = int(headers["lakehouse.epoch"]), int(json.loads(source["sequence"])[0] or 0)
        return (epoch, after) <= position < (epoch, behind)
