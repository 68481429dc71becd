from tests.crash.fault import OUTAGE, Fault
from tests.crash.outage import restart


class BrokerKilledInDrain(Fault):
    """Kafka dies of SIGKILL while it is read from, and comes back."""

    weight = OUTAGE

    def inject(self, world, rng):
        drain = world.start_drain()
        drain.ended_within(rng.uniform(0, world.seconds))
        restart(world.services.kafka)
        drain.wait().require()
        world.recover()
        return 1
