"""A source with the tables of all cases, which is written to round by round."""

from collections import Counter
from threading import Event

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from connectors.debezium.config import slot_name, topic_name
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import emit_marker
from connectors.source import register_source
from tests.cases.case import all_cases

BULK = TableName("public", "bulk")
"""A table for transactions that take a while to travel."""

_BULK_ROWS = 10_000
_LOOK_SECONDS = 0.005
COPIED = [TableName("public", name) for name in ("copied_much", "copied_much_keyless")]
"""Tables for one large COPY: the rows of one page of it share an LSN. One has a key, one has none."""

_COPIED_ROWS = 20_000
_BULK_DDL = f"""
    CREATE TABLE {BULK} (id int PRIMARY KEY, round int); INSERT INTO {BULK} VALUES (0, 0);
    CREATE TABLE {COPIED[0]} (id int PRIMARY KEY, round int); CREATE TABLE {COPIED[1]} (id int, round int);
    ALTER TABLE {COPIED[1]} REPLICA IDENTITY FULL;
    INSERT INTO {COPIED[0]} VALUES (0, 0); INSERT INTO {COPIED[1]} VALUES (0, 0)
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
        self.rounds = Counter(dict.fromkeys([*self.cases, BULK.name, COPIED[0].name], 0))
        self._written = 0
        self.connection = self.connect()
        self.connection.execute(_BULK_DDL)
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
