from tests.crash.fault import CHEAP, Fault
from tests.crash.maintaining import maintain_all


class MaintenanceBesideDrain(Fault):
    """One process compacts and vacuums everything, while another one drains and merges: neither fails."""

    weight = CHEAP // 3

    def inject(self, world, rng):
        world.source.change(rng)
        world.drain().require(clean=True)
        maintaining = world.start_drain(then=maintain_all)
        world.source.change(rng)
        drain = world.start_drain()
        drain.wait().require(clean=True)
        maintaining.wait().require(clean=True)
        return 1
