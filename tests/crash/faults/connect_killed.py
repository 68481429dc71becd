from tests.crash.fault import OUTAGE, Fault
from tests.crash.outage import restart


class ConnectKilled(Fault):
    """Kafka Connect dies of SIGKILL while Debezium writes a large transaction, and comes back."""

    weight = OUTAGE

    def inject(self, world, rng):
        world.source.change_much()
        world.source.wait_for_much()
        restart(world.services.connect)
        return 1
