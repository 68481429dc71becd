from functools import partial

from connectors.cdc.rebuild import rebuild_checked
from tests.crash.fault import CHEAP, Fault


class RebuildBesideDrain(Fault):
    """One process rebuilds a table, while another one merges changes into it."""

    weight = CHEAP // 4

    def inject(self, world, rng):
        table = world.pick_table(rng)
        world.drain().require(clean=True)
        rebuilding = world.start_drain(then=partial(rebuild_checked, table=table))
        world.source.change(rng)
        drain = world.start_drain()
        drain.wait().require()
        rebuilding.wait().require()
        return 1
