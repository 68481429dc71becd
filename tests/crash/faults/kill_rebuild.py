from tests.crash.fault import CHEAP, Fault


class KillRebuild(Fault):
    """The process dies of SIGKILL while it makes a table anew; the next rebuild goes on with what it left."""

    weight = CHEAP // 2

    def inject(self, world, rng):
        table = world.pick_table(rng)
        world.drain().require(clean=True)
        drain = world.start_drain(rebuild=table)
        drain.ended_within(rng.uniform(0, world.seconds))
        killed = drain.kill()
        world.source.change(rng)
        world.drain(rebuild=table).require(clean=True)
        return int(killed)
