from tests.crash.fault import Fault


class SeveralDrains(Fault):
    """Several processes drain and merge at once; each does its work, or says that trying again may succeed."""

    def __init__(self, count):
        self.count = count

    @property
    def kind(self):
        return f"{self.count} drains at once"

    @classmethod
    def variants(cls):
        return [cls(2), cls(3)]

    def inject(self, world, rng):
        drains = [world.start_drain() for _ in range(self.count)]
        for drain in drains:
            drain.wait().require()
        return 1
