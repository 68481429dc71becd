"""State machines for Hypothesis: a table that lives, and a lake that must become equal to it."""

import tempfile
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from connectors.lake.silver.merge import SilverMerge
from connectors.lake.storage import scratch_connection
from connectors.lake.views import pin_silver, register_views
from connectors.postgres.contracts import ColumnContract, TableContract
from tests.model.debezium import Connector
from tests.model.postgres import KEPT, TOASTED, Database
from tests.silver_lake import Lake

COLUMNS = (
    ColumnContract(name="id", type_name="int4", nullable=False),
    ColumnContract(name="name", type_name="varchar"),
    ColumnContract(name="big", type_name="text", toastable=True),
    ColumnContract(name="more", type_name="text", toastable=True),
)
KEYED = TableContract(schema_name="public", table_name="t", columns=COLUMNS, key=("id",))
KEYLESS = TableContract(schema_name="public", table_name="t", columns=COLUMNS[1:], key=(), replica_identity="full")

TRANSACTIONS = st.sampled_from([None, None, "A", "B"])
KEYS = st.integers(1, 3)
VALUES = st.sampled_from([KEPT, KEPT, f"{TOASTED} 1", f"{TOASTED} 2", None])
COUNTS = st.sampled_from([1, 2, 3, 5, 8, 100])
ALL = 10**6
MEMORY = Path("/dev/shm")


class KeylessSource(RuleBasedStateMachine):
    """A table that is written to, and a lake that receives its changes and merges them now and then."""

    contract = KEYLESS

    def __init__(self):
        super().__init__()
        self.database = Database(has_key=bool(self.contract.key))
        self.connector = Connector(self.database)
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.exists() else None)
        self.lake = Lake(self.folder.name, self.contract)

    @initialize(keys=st.sets(KEYS), big=VALUES)
    def start(self, keys, big):
        self.copy(None, keys, big)
        self.connector.make_slot()

    @rule(transaction=TRANSACTIONS, key=KEYS, big=VALUES, more=VALUES)
    def write(self, transaction, key, big, more):
        if self.database.can_write(transaction, key):
            self.database.write(transaction, key, big=big, more=more)

    @rule(transaction=TRANSACTIONS, keys=st.sets(KEYS), big=VALUES)
    def copy(self, transaction, keys, big):
        keys = keys - self.database.visible(transaction).keys()
        if keys and self.database.can_write(transaction, *keys):
            self.database.copy(transaction, sorted(keys), big=big, more=big)

    @rule(transaction=TRANSACTIONS, data=st.data())
    def delete(self, transaction, data):
        if keys := self.rows_to_change(transaction):
            self.database.delete(transaction, data.draw(st.sampled_from(keys)))

    @rule(transaction=TRANSACTIONS)
    def truncate(self, transaction):
        if self.database.can_truncate(transaction) and not self.connector.has_chunk:
            self.database.truncate(transaction)

    @precondition(lambda self: self.database.can_end)
    @rule(data=st.data(), rolled_back=st.sampled_from([False, False, True]))
    def end(self, data, rolled_back):
        transaction = data.draw(st.sampled_from(self.database.can_end))
        if rolled_back:
            self.database.roll_back(transaction)
        else:
            self.database.commit(transaction)

    @precondition(lambda self: self.connector.has_slot)
    @rule(restored=st.booleans())
    def lose_slot(self, restored):
        self.connector.lose_slot(restored=restored)

    @precondition(lambda self: not self.connector.has_slot and self.connector.can_make_slot())
    @rule()
    def make_slot(self):
        self.connector.make_slot()

    @precondition(lambda self: self.connector.has_slot)
    @rule()
    def restart(self):
        self.connector.restart(again=0)

    @precondition(lambda self: self.connector.has_slot)
    @rule(count=COUNTS, merged=st.booleans())
    def receive(self, count, merged):
        """The connector sends, and all of that is one micro-batch."""
        self.connector.stream(count)
        if messages := self.connector.topic[self.lake.offset :]:
            self.lake.receive(*messages)
        if merged:
            self.merge(ALL)

    @rule(rows=COUNTS)
    def merge(self, rows):
        self.lake.merge(rows=rows)

    def rows_to_change(self, transaction):
        rows = self.database.visible(transaction)
        return sorted(key for key in rows if self.database.can_write(transaction, key))

    def finish(self):
        """Everything is sent, received and merged."""
        while self.connector.unsent or not self.connector.is_streaming:
            self.connector.stream(ALL)
        self.receive(ALL, merged=True)
        self.begin_epoch()

    def begin_epoch(self):
        """What a drain knows by a marker: the snapshot is complete, although an empty table has no event of it."""
        silver, connector = self.lake.silver(), self.connector
        reached = silver.progress.low_watermark
        low_watermark = max(reached, connector.low_watermark(reached))
        if reached < low_watermark:
            SilverMerge(silver).raise_low_watermark(low_watermark)

    def teardown(self):
        """Transactions that are open stay so: nobody sees what they did."""
        with self.folder:
            if not self.connector.has_slot:
                self.database.crash()
                self.connector.make_slot()
            self.finish()
            names = [column.name for column in self.contract.columns]
            expected = [tuple(row[name] for name in names) for row in self.database.rows.values()]
            with scratch_connection(self.lake.layout.root) as connection:
                register_views(connection, pin_silver(self.lake.layout.root, "s", [self.contract.table]))
                found = connection.execute(f"SELECT {', '.join(names)} FROM silver.t").fetchall()
            self.check(sorted(found, key=repr), sorted(expected, key=repr))

    def check(self, found, expected):
        assert found == expected
        assert not self.lake.has_quarantine()


class KeyedSource(KeylessSource):
    """Rows with a key can get another one, can be read again, and their changes can be sent again."""

    contract = KEYED

    @precondition(lambda self: self.database.can_wait)
    @rule(data=st.data(), big=VALUES)
    def insert_and_wait(self, data, big):
        self.database.insert_and_wait(data.draw(st.sampled_from(self.database.can_wait)), big=big, more=big)

    @rule(transaction=TRANSACTIONS, data=st.data(), big=VALUES, more=VALUES)
    def move(self, transaction, data, big, more):
        free = {key for key in range(1, 5) if self.database.can_write(transaction, key)}
        free -= self.database.visible(transaction).keys()
        if free and (keys := self.rows_to_change(transaction)):
            key, to = data.draw(st.sampled_from(keys)), data.draw(st.sampled_from(sorted(free)))
            self.database.move(transaction, key, to, big=big, more=more)

    @precondition(lambda self: self.connector.has_slot)
    @rule(again=COUNTS)
    def restart(self, again):
        self.connector.restart(again=again)

    @precondition(lambda self: self.connector.is_streaming)
    @rule()
    def read_again(self):
        # What a moved row leaves out is not known if its old key's row was read after another row had got that key.
        if not any(getattr(entry, "old_key", None) and entry.kept for entry in self.connector.unsent):
            self.connector.read_again()

    @precondition(lambda self: self.connector.is_streaming and self.database.can_read)
    @rule()
    def read_chunk(self):
        self.connector.read_chunk()

    @precondition(lambda self: self.connector.has_chunk)
    @rule()
    def end_chunk(self):
        self.connector.end_chunk()
