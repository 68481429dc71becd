from tests.crash.fault import Fault


class KillSeveralDrains(Fault):
    """Two processes drain at once, and both die of SIGKILL."""

    def inject(self, world, rng):
        drains = [world.start_drain() for _ in range(2)]
        for drain in drains:
            drain.ended_within(rng.uniform(0, world.seconds))
        return sum(drain.kill() for drain in drains)
