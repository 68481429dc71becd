from tests.crash.fault import OUTAGE, Fault
from tests.crash.source import COPIED


class StreamCutInCopy(Fault):
    """Debezium's connection to PostgreSQL is cut while it reads one large COPY, into a table with or without a key."""

    weight = 2 * OUTAGE

    def __init__(self, table):
        self.table = table

    @property
    def kind(self):
        return f"stream cut in {self.table.name}"

    @classmethod
    def variants(cls):
        return [cls(table) for table in COPIED]

    def inject(self, world, rng):
        before, rows = world.source.copy_much(self.table)
        shares = sorted(rng.uniform(0.02, 0.9) for _ in range(2))
        cuts = 0
        for share in shares:
            world.source.wait_for_messages(self.table, before + int(share * rows))
            cuts += world.source.cut_stream()
        return cuts
