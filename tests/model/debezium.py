"""A model of Debezium: what a connector makes of the log of a `Database`, whatever happens to it."""

from typing import NamedTuple

from connectors.changes.low_watermark import before_attempt, behind_attempt
from connectors.changes.markers import Marker
from tests.events import PLACEHOLDER, event
from tests.model.postgres import Change, Commit


class Watermark(NamedTuple):
    """What an incremental snapshot writes into the log before (without rows) and after it reads rows."""

    rows: dict | None = None


class Logical(NamedTuple):
    """A logical message: a marker of ours."""

    lsn: int


class Connector:
    """Reads the log from a replication slot and sends messages; `topic` holds all that were ever sent.

    Markers stand among them as what they are, although they travel in a topic of their own. `read_lsn` is the LSN of
    the newest attempt at the first snapshot that a row was sent of.
    """

    def __init__(self, database):
        self._database = database
        self.topic = []
        self.epoch = 0
        self.read_lsn = 0
        self.has_slot = False
        self._waits_for = []
        self._sent = 0
        self._reading = []
        self._begins = False
        self._chunk = None
        self._passed = None

    def low_watermark(self, reached):
        """What a drain makes of it, and of a low watermark that all messages have raised to `reached`."""
        seen = before_attempt(epoch=self.epoch, lsn=self.read_lsn)
        if self.read_lsn == 0 or reached >= seen:
            return seen
        return behind_attempt(epoch=self.epoch, lsn=self.read_lsn)

    def lose_slot(self, *, restored):
        """What is committed from now on is never streamed. A restored server's log starts again."""
        self.has_slot = False
        self._chunk = None
        if restored:
            self._database.crash()
            self._database.lsn = 0
        self._waits_for = list(self._database.open.values())

    def can_make_slot(self):
        """A slot is made when the transactions that were open before have come to their ends."""
        return not any(old is changes for old in self._waits_for for changes in self._database.open.values())

    def make_slot(self):
        self.has_slot = True
        self.epoch += 1
        self.read_lsn = 0
        self._begin()

    def stream(self, count):
        """Sends what the next entries of the log say; while a snapshot is sent, streaming waits."""
        while count > 0 and (self._reading or self.unsent):
            count -= 1
            if self._reading:
                self.topic.append(self._reading.pop(0))
                if self._begins:
                    self.read_lsn = self._snapshot_lsn
            else:
                self.topic += self._messages(self.unsent[0])
                self._sent += 1

    @property
    def unsent(self):
        """What is in the log and not streamed yet."""
        return self._database.log[self._sent :]

    @property
    def is_streaming(self):
        return self.has_slot and not self._reading

    @property
    def has_chunk(self):
        return self._chunk is not None

    def restart(self, *, again):
        """Goes on from a position `again` entries back; snapshots that were not finished are lost."""
        log = self._database.log
        sent, unsent = ([e for e in part if not isinstance(e, Watermark)] for part in (log[: self._sent], self.unsent))
        log[:] = sent + unsent
        self._sent = max(0, len(sent) - again)
        self._chunk = self._passed = None
        if self._reading and self._begins:
            self._begin()
        else:
            self._reading = []

    def read_again(self):
        """A blocking snapshot: streaming stops where it is, and the table is read as it is now."""
        self._begins = False
        self._reading = self._snapshot()

    def read_chunk(self):
        """Reads for an incremental snapshot, between two marks in the log."""
        if self._chunk is None:
            self._database.write_log(Watermark())
        self._chunk = dict(self._database.rows)

    def end_chunk(self):
        self._database.write_log(Watermark(self._chunk))
        self._chunk = None

    def _begin(self):
        """The snapshot at the beginning: what was committed before it is not streamed."""
        self._database.log.clear()
        self._sent = 0
        self._chunk = self._passed = None
        self._begins = True
        self._reading = self._snapshot()

    @property
    def _last_commit(self):
        return next((e.lsn for e in reversed(self._database.log[: self._sent]) if isinstance(e, Commit)), None)

    def _snapshot(self):
        self._snapshot_lsn = lsn = self._database.next_lsn()
        rows = list(self._database.rows.values())
        last = len(rows) - 1
        flags = ("last_in_data_collection" if n == last else "true" for n in range(len(rows)))
        return [self.read(row, lsn=lsn, snapshot=flag) for row, flag in zip(rows, flags, strict=True)]

    def read(self, row, **source):
        """The event of a row as a snapshot reads it."""
        return event("r", row, key=self._key(row.get("id")), prev=self._last_commit, epoch=self.epoch, **source)

    def _messages(self, entry):
        if isinstance(entry, Logical):
            return [Marker(self.epoch, entry.lsn)]
        if isinstance(entry, Watermark):
            return self._window(entry)
        if isinstance(entry, Change):
            if self._passed is not None:
                self._passed.add(entry.key)
            return self._change(entry)
        return []

    def _window(self, watermark):
        """Of what was read between two marks, rows that were changed between them are not sent."""
        passed, self._passed = self._passed, set() if watermark.rows is None else None
        if watermark.rows is None or passed is None:
            return []
        rows = [row for key, row in watermark.rows.items() if key not in passed]
        return [self.read(row, lsn=None, snapshot="incremental") for row in rows]

    def _change(self, change):
        after, before = change.row, None
        if not self._database.has_key:
            before = change.before
        if change.op == "d":
            after = before or {**dict.fromkeys(change.before), "id": change.key}
        elif after is not None:
            after = {c: PLACEHOLDER if c in change.kept else v for c, v in after.items()}
        told = event(
            change.op,
            after,
            before=before,
            key=self._key(change.key),
            old_key=self._key(change.old_key),
            lsn=change.lsn,
            prev=self._last_commit,
            epoch=self.epoch,
        )
        return [told, (told[0], None, [])] if change.op == "d" else [told]

    def _key(self, key):
        return {"id": key} if key is not None and self._database.has_key else None
