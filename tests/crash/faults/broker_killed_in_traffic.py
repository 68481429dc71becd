from tests.crash.fault import OUTAGE, Fault
from tests.crash.outage import kill, restart


class BrokerKilledInTraffic(Fault):
    """Kafka dies of SIGKILL while Debezium writes a large transaction to it, and comes back."""

    weight = OUTAGE

    def inject(self, world, rng):
        world.source.change_much()
        world.source.wait_for_much()
        kill(world.services.kafka)
        world.source.change(rng)
        restart(world.services.kafka)
        world.recover()
        return 1
