from functools import partial

from connectors.cdc.resync import resync_table
from tests.crash.fault import OUTAGE, Fault


class SeveralResyncs(Fault):
    """Two processes resync the same table at once; each does it, or says that trying again may succeed."""

    weight = 2 * OUTAGE

    def inject(self, world, rng):
        resync = partial(resync_table, table=world.pick_table(rng))
        resyncs = [world.start_drain(then=resync) for _ in range(2)]
        world.source.change(rng)
        for resync in resyncs:
            resync.wait().require()
        return 1
