from contextlib import closing

from tests.crash.fault import OUTAGE, Fault
from tests.crash.outage import restart


class PostgresKilled(Fault):
    """PostgreSQL dies of SIGKILL with a transaction open, and recovers; what was not committed never was."""

    weight = OUTAGE

    def inject(self, world, rng):
        drain = world.start_drain()
        with closing(world.source.connect()) as connection:
            connection.autocommit = False
            world.source.change_much(connection)
            drain.ended_within(rng.uniform(0, world.seconds))
            restart(world.services.postgres)
        world.source.reconnect()
        drain.wait().require()
        return 1
