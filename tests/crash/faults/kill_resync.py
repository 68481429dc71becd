from functools import partial

from connectors.cdc.resync import resync_table
from tests.crash.fault import OUTAGE, Fault


class KillResync(Fault):
    """The process dies of SIGKILL while a table is resynced from the source; what is left of that does no harm."""

    weight = 2 * OUTAGE

    def inject(self, world, rng):
        resync = partial(resync_table, table=world.pick_table(rng))
        drain = world.start_drain(then=resync)
        world.source.change(rng)
        killed = self.kill(drain, rng, after=world.seconds, within=8 * world.seconds)
        world.source.change(rng)
        if rng.random() < 1 / 2:
            world.drain(then=resync).require(clean=True)
        return int(killed)
