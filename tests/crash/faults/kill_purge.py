import datetime as dt
from functools import partial

from connectors.cdc.retention import purge_silver
from tests.crash.fault import CHEAP, Fault

_LATER = dt.datetime.max.replace(tzinfo=dt.UTC)


class KillPurge(Fault):
    """The process dies of SIGKILL while it purges deleted rows; run again beside a drain, both do their work."""

    weight = CHEAP // 4

    def inject(self, world, rng):
        purge = partial(purge_silver, table=world.pick_table(rng), before=_LATER, dry_run=False)
        world.drain().require(clean=True)
        world.source.change(rng)
        drain = world.start_drain(then=purge)
        killed = self.kill(drain, rng, after=world.seconds / 2, within=3 * world.seconds / 2)
        purging = world.start_drain(then=purge)
        world.source.change(rng)
        world.drain().require()
        purging.wait().require()
        return int(killed)
