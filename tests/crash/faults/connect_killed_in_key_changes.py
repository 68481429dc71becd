from tests.crash.fault import OUTAGE, Fault
from tests.crash.outage import restart
from tests.crash.source import REKEYED


class ConnectKilledInKeyChanges(Fault):
    """Kafka Connect dies of SIGKILL while Debezium sends changed keys, each of them in two halves, and comes back."""

    weight = OUTAGE

    def inject(self, world, rng):
        before, messages = world.source.change_keys()
        world.source.wait_for_messages(REKEYED, before + int(rng.uniform(0.02, 0.9) * messages))
        restart(world.services.connect)
        return 1
