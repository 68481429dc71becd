from tests.crash.fault import CHEAP, Fault


class KillFirstWriter(Fault):
    """The process that makes the tables of an empty lake dies of SIGKILL."""

    weight = CHEAP // 4

    def inject(self, world, rng):
        empty = world.elsewhere()
        drain = empty.start_drain()
        return int(self.kill(drain, rng, within=2 * world.seconds))
