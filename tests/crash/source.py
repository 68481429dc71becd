"""A source with the tables of all cases, which is written to round by round."""

from collections import Counter
from threading import Event

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from connectors.cdc.registration import register_source
from connectors.debezium.config import slot_name, topic_name
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import emit_marker
from tests.cases.case import all_cases

BULK = TableName("public", "bulk")
"""A table for transactions that take a while to travel."""

_BULK_ROWS = 10_000
_LOOK_SECONDS = 0.005
ALTERED = TableName("public", "altered")
"""A table whose definition changes; there is one without a key, too."""

_ALTERED_DDL = f"""
    CREATE TABLE {ALTERED} (id int PRIMARY KEY, n int, note text);
    CREATE TABLE {ALTERED}_keyless (id int, n int, note text);
    ALTER TABLE {ALTERED}_keyless REPLICA IDENTITY FULL;
    INSERT INTO {ALTERED} SELECT n, n, 'note ' || n FROM generate_series(1, 30) n;
    INSERT INTO {ALTERED}_keyless SELECT n, n, 'note ' || n FROM generate_series(1, 30) n
"""
_KEPT = (
    ("ADD COLUMN c{0} int NOT NULL DEFAULT {0}",),
    ("ADD COLUMN c{0} text", "ALTER c{0} SET DEFAULT 'x'"),
    ("ALTER note TYPE varchar", "ALTER note TYPE text"),
    ("ADD CONSTRAINT c{0} CHECK (id >= 0)",),
    ("SET (fillfactor = 90)", "REPLICA IDENTITY FULL"),
)
_REWRITTEN = (
    ("ADD COLUMN c{0} int", "DROP COLUMN c{0}"),
    ("ALTER n TYPE bigint USING n + 1", "ALTER n TYPE int"),
    ("ADD COLUMN c{0} uuid DEFAULT gen_random_uuid()", "ALTER c{0} DROP DEFAULT"),
    ("RENAME note TO other", "RENAME other TO note"),
    ("DROP COLUMN note", "ADD COLUMN note text DEFAULT 'anew'"),
    ("RENAME TO altered_away", "", "RENAME TO altered"),
)
"""What is done to a table, one statement after the other, with rows written in between: of a table without key, what
leaves its values as they are."""

COPIED = [TableName("public", name) for name in ("copied_much", "copied_much_keyless")]
"""Tables for one large COPY: the rows of one page of it share an LSN. One has a key, one has none."""

_COPIED_ROWS = 20_000
REKEYED = TableName("public", "rekeyed")
"""A table whose keys change, all in one transaction."""

_REKEYED_ROWS = 5_000
_MESSAGES_PER_KEY = 3  # a delete, its tombstone, an insert
_BULK_DDL = f"""
    CREATE TABLE {BULK} (id int PRIMARY KEY, round int); INSERT INTO {BULK} VALUES (0, 0);
    CREATE TABLE {COPIED[0]} (id int PRIMARY KEY, round int); CREATE TABLE {COPIED[1]} (id int, round int);
    ALTER TABLE {COPIED[1]} REPLICA IDENTITY FULL;
    INSERT INTO {COPIED[0]} VALUES (0, 0); INSERT INTO {COPIED[1]} VALUES (0, 0);
    CREATE TABLE {REKEYED} (id int PRIMARY KEY); INSERT INTO {REKEYED} SELECT generate_series(1, {_REKEYED_ROWS})
"""


class Source:
    """A registered source.

    Args:
        settings: A database of its own, and the lake that the source is registered in.
        services: PostgreSQL, Kafka and Kafka Connect.
        cases: How its tables change; each has made its tables under the name of its own file.
    """

    def __init__(self, settings, services, cases=None):
        self.settings = settings
        self.services = services
        self.cases = {type(case).__module__.rpartition(".")[2]: case for case in cases or all_cases()}
        self.rounds = Counter(dict.fromkeys([*self.cases, BULK.name, COPIED[0].name, REKEYED.name, ALTERED.name], 0))
        self._written = 0
        self.connection = self.connect()
        self.connection.execute(_BULK_DDL)
        self.connection.execute(_ALTERED_DDL)
        for case in self.cases.values():
            self.connection.execute(case.ddl)
            if case.before:
                self.connection.execute(case.before)
        register_source(settings)

    def connect(self):
        """Opens one more connection."""
        return self.services.postgres.connect(self.settings.postgres.database)

    def change(self, rng, *, cases=2):
        """A round of changes with some of the cases."""
        for name in rng.sample(sorted(self.cases), min(cases, len(self.cases))):
            self.rounds[name] += 1
            self.cases[name].change(self.connection, self.rounds[name])

    def change_much(self, connection=None):
        """A large transaction."""
        self._written = self._count_written()
        self.rounds[BULK.name] += 1
        insert = f"INSERT INTO {BULK} SELECT id, %(round)s FROM generate_series(1, %(rows)s) AS id"
        (connection or self.connection).execute(
            f"{insert} ON CONFLICT (id) DO UPDATE SET round = excluded.round",
            {"round": self.rounds[BULK.name], "rows": _BULK_ROWS},
        )

    def change_keys(self):
        """Gives every row of the table for that another key; returns the offset before, and how many messages come."""
        self.rounds[REKEYED.name] += 1
        before = self._count_written(REKEYED)
        self.connection.execute(f"UPDATE {REKEYED} SET id = -id")
        return before, _REKEYED_ROWS * _MESSAGES_PER_KEY

    def wait_for_much(self):
        """Waits until the first messages of the large transaction are in Kafka, committed or not."""
        while self._count_written() == self._written:
            Event().wait(_LOOK_SECONDS)

    def copy_much(self, table):
        """One large COPY into one of the tables for that; returns the offset before it, and how many rows it has."""
        self.connection.execute(f"TRUNCATE {table}")
        self.rounds[COPIED[0].name] += 1
        before = self._count_written(table)
        with self.connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for n in range(_COPIED_ROWS):
                copy.write_row([n, self.rounds[COPIED[0].name]])
        return before, _COPIED_ROWS

    def alter(self, rng):
        """Changes the definition of a table with, or without, a key, and writes to it before, between and after."""
        table, changes = ALTERED.name, _KEPT + _REWRITTEN
        if rng.random() < 1 / 3:
            table, changes = f"{ALTERED.name}_keyless", _KEPT
        self.rounds[ALTERED.name] += 1
        number = self.rounds[ALTERED.name]
        self._write(table, rng)
        for step in rng.choice(changes):
            now = "altered_away" if self._exists("altered_away") else table
            if step:
                self.connection.execute(f"ALTER TABLE {now} {step.format(number)}")
            self._write("altered_away" if self._exists("altered_away") else table, rng)
        if changes != _KEPT and rng.random() < 1 / 4:
            self.connection.execute(f"VACUUM FULL {table}")
            self._write(table, rng)

    def _exists(self, table):
        return self.connection.execute("SELECT to_regclass(%s) IS NOT NULL", [table]).fetchone() == (True,)

    def _write(self, table, rng):
        low = rng.randint(1, 25)
        self.connection.execute(f"DELETE FROM {table} WHERE id BETWEEN %s AND %s", [low, low + 2])
        self.connection.execute(
            f"INSERT INTO {table} (id, n) SELECT n, n FROM generate_series(%s::int, %s::int) n", [low, low + 2]
        )
        self.connection.execute(f"UPDATE {table} SET n = n + 1 WHERE id %% 7 = %s", [low % 7])

    def wait_for_messages(self, table, offset):
        """Waits until a table's topic reaches an offset, committed or not."""
        while self._count_written(table) < offset:
            Event().wait(_LOOK_SECONDS)

    def cut_stream(self):
        """Ends the connection by which Debezium reads the slot; returns whether there was one."""
        cut = "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = %s"
        return self.connection.execute(cut, [slot_name(self.settings.cdc.source)]).fetchone() == (True,)

    def _count_written(self, table=BULK):
        # A new client each time: an old one may know the broker of before a restart.
        kafka = AdminClient({"bootstrap.servers": self.services.kafka.address, "log_level": 2})
        partition = TopicPartition(topic_name(self.settings.cdc.source, table), 0)
        return kafka.list_offsets({partition: OffsetSpec.latest()})[partition].result(30).offset

    def mark(self):
        """Emits a marker; returns its LSN."""
        return emit_marker(self.connection)

    def reconnect(self):
        """Connects again after the server was away."""
        self.connection.close()
        self.connection = self.connect()

    def close(self):
        """Disconnects."""
        self.connection.close()
