import datetime as dt
from functools import partial

from connectors.cdc.rebuild import rebuild_checked
from connectors.cdc.retention import trim_bronze
from tests.crash.fault import CHEAP, Fault


class KillTrim(Fault):
    """The process dies of SIGKILL while it trims bronze; run again, it ends that, and the table can be rebuilt."""

    weight = CHEAP // 4

    def inject(self, world, rng):
        table = world.pick_table(rng)
        trim = partial(trim_bronze, table=table, before=dt.date.max, dry_run=False)
        world.drain().require(clean=True)
        world.source.change(rng)
        drain = world.start_drain(then=trim)
        killed = self.kill(drain, rng, after=world.seconds / 2, within=3 * world.seconds / 2)
        if rng.random() < 1 / 2:
            world.drain(then=trim).require(clean=True)
        world.drain(then=partial(rebuild_checked, table=table)).require(clean=True)
        return int(killed)
