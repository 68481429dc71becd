from tests.crash.fault import CHEAP, Fault


class KillAfterAlteration(Fault):
    """The process dies of SIGKILL while it compares a table whose definition changed, or resyncs it."""

    weight = CHEAP // 4

    def inject(self, world, rng):
        world.source.alter(rng)
        drain = world.start_drain()
        killed = self.kill(drain, rng, within=6 * world.seconds)
        if rng.random() < 1 / 2:
            world.source.alter(rng)
        return int(killed)
