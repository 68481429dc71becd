from functools import partial

from connectors.cdc.rebuild import rebuild_checked
from tests.crash.fault import CHEAP, Fault


class KillRebuild(Fault):
    """The process dies of SIGKILL while it rebuilds a table; the next rebuild goes on with what it left."""

    weight = CHEAP // 4

    def inject(self, world, rng):
        rebuilding = partial(rebuild_checked, table=world.pick_table(rng))
        world.drain().require(clean=True)
        drain = world.start_drain(then=rebuilding)
        drain.ended_within(rng.uniform(0, world.seconds))
        killed = drain.kill()
        world.source.change(rng)
        world.drain(then=rebuilding).require(clean=True)
        return int(killed)
