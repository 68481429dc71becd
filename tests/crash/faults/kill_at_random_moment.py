from tests.crash.fault import Fault


class KillAtRandomMoment(Fault):
    """The process dies of SIGKILL wherever it is."""

    def inject(self, world, rng):
        drain = world.start_drain()
        drain.ended_within(rng.uniform(0, world.seconds))
        return int(drain.kill())
