"""The state machine of a table whose deleted rows are purged whenever they may be."""

import datetime as dt

from hypothesis.stateful import precondition, rule

from connectors.lake.silver.purge import count_deleted, merged_through, purge_deleted
from connectors.lake.silver.table import SilverTable
from tests.events import PLACEHOLDER
from tests.model.machine import ALL, COUNTS, KEYED, KEYS, VALUES
from tests.model.reading import ReadLake, ReadSource

_LATER = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)


class UnpurgedLake(ReadLake):
    """The same bronze, merged into another table, in which all deleted rows stay."""

    def __init__(self, root, lake):
        super().__init__(root, KEYED)
        self.bronze = lake.bronze
        self.uri = self.layout.rebuild(KEYED.table)

    def fresh(self):
        """Looked at in the other lake alone: it takes as long as a merge."""

    def silver(self):
        return SilverTable(self.layout, KEYED, placeholder=PLACEHOLDER, uri=self.uri, baseline=self.baseline)


class PurgedSource(ReadSource):
    """Whoever reads sees the same rows as if nothing were ever purged, after every merge."""

    def __init__(self):
        super().__init__()
        self.unpurged = UnpurgedLake(self.folder.name, self.lake)

    @precondition(lambda self: self.connector.is_streaming)
    @rule(key=KEYS, big=VALUES)
    def purge(self, key, big):
        """A row changes, is deleted and purged; restarted, the connector may send all that it did before."""
        if self.database.can_write(None, key):
            self.database.write(None, key, big=big, more=big)
            self.database.delete(None, key)
        self.mark()
        self.receive(ALL, merged=True)
        silver = self.lake.silver()
        if silver.awaits_resync or self.lake.has_quarantine():
            return
        progress = merged_through(self.lake.bronze, silver)
        if count_deleted(silver, before=_LATER, progress=progress).settled:
            purge_deleted(silver, before=_LATER, progress=progress)

    @precondition(lambda self: self.connector.has_slot)
    @rule(again=COUNTS, count=COUNTS)
    def send_again(self, again, count):
        self.restart(again)
        self.receive(count, merged=True)

    @rule(rows=COUNTS)
    def merge(self, rows):
        super().merge(rows)
        self.unpurged.baseline = self.lake.baseline
        self.unpurged.merge(rows)
        found, wanted = self.seen(self.lake), self.seen(self.unpurged)
        # A row that was read shows a change that is still to come if it is below the purge, and not there: whatever was
        # committed before the purge was merged by then.
        purged, there = self.lake.silver().progress.purged_lsn, {key for _, _, key, *_ in found}
        assert found == [row for row in wanted if not (row[0] == "r" and row[1] < purged and row[2] not in there)]

    def seen(self, lake):
        """What readers see: operation, previous commit and key of each row in front."""
        columns = "_cdc_deleted, _cdc_op, _cdc_prev_commit_lsn, id, * EXCLUDE (_cdc_merged_at)"
        return [row[1:] for row in lake.select(columns, table=lake.silver().uri) if not row[0]]
