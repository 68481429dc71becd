from functools import partial

from connectors.cdc.rebuild import rebuild_checked
from tests.crash.fault import CHEAP, Fault
from tests.crash.maintaining import maintain_all


class KillMaintenance(Fault):
    """The process dies of SIGKILL while it compacts and vacuums; run again, it ends that, and nothing else is gone."""

    weight = CHEAP // 3

    def inject(self, world, rng):
        world.drain().require(clean=True)
        world.source.change(rng)
        everything = partial(maintain_all, vacuum_hours=0)
        drain = world.start_drain(then=everything)
        killed = self.kill(drain, rng, after=world.seconds / 2, within=3 * world.seconds / 2)
        if rng.random() < 1 / 2:
            world.drain(then=everything).require(clean=True)
        if rng.random() < 1 / 2:
            world.drain(then=partial(rebuild_checked, table=world.pick_table(rng))).require(clean=True)
        return int(killed)
