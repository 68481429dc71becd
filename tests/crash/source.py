"""A source with the tables of all cases, which is written to round by round."""

from collections import Counter

from connectors.postgres.replication import emit_marker
from connectors.source import register_source
from tests.cases.case import all_cases


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
        self.rounds = Counter(dict.fromkeys(self.cases, 0))
        self.connection = self.connect()
        for case in self.cases.values():
            self.connection.execute(case.ddl)
            if case.before:
                self.connection.execute(case.before)
        register_source(settings)

    def connect(self):
        """Opens one more connection."""
        return self.services.postgres.connect(self.settings.postgres.database)

    def change(self, rng, *, cases=3, connection=None):
        """A round of changes with some of the cases."""
        for name in rng.sample(sorted(self.cases), min(cases, len(self.cases))):
            self.rounds[name] += 1
            self.cases[name].change(connection or self.connection, self.rounds[name])

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
