from functools import partial

from tests.crash.fault import CHEAP, Fault
from tests.lake import rebuild


class RebuildBesideDrain(Fault):
    """One process makes a table anew, while another one merges changes into it."""

    weight = CHEAP // 4

    def inject(self, world, rng):
        table = world.pick_table(rng)
        world.drain().require(clean=True)
        rebuilding = world.start_drain(then=partial(rebuild, table=table))
        world.source.change(rng)
        drain = world.start_drain()
        drain.wait().require()
        rebuilding.wait().require()
        return 1
