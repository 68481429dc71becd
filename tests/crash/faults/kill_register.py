from functools import partial

from connectors.cdc.registration import register_source
from connectors.debezium.config import publication_name
from tests.crash.fault import OUTAGE, Fault
from tests.crash.source import ALTERED


class KillRegister(Fault):
    """The process dies of SIGKILL while it captures a table again that was taken out of the publication."""

    weight = 2 * OUTAGE

    def inject(self, world, rng):
        publication = publication_name(world.settings.cdc.source)
        world.source.connection.execute(f"ALTER PUBLICATION {publication} DROP TABLE ONLY {ALTERED}")
        world.source.alter(rng)
        registering = world.start_drain(prepare=partial(register_source, world.settings))
        killed = self.kill(registering, rng, within=6 * world.seconds)
        world.source.alter(rng)
        register_source(world.settings)
        world.recover()
        return int(killed)
