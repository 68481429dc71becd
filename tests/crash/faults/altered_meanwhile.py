from tests.crash.fault import CHEAP, Fault


class AlteredMeanwhile(Fault):
    """Tables change, and are written to, while several processes drain, compare them, and resync them."""

    weight = CHEAP // 4

    def inject(self, world, rng):
        world.source.alter(rng)
        drains = [world.start_drain() for _ in range(2)]
        for _ in range(3):
            world.source.alter(rng)
        for drain in drains:
            # A table that changed once more is paused until the next drain.
            drain.wait().require(paused=True)
        world.recover()
        return 1
