from tests.crash.fault import CHEAP, Fault


class SeveralFirstWriters(Fault):
    """Several processes at once are the first to write to an empty lake."""

    weight = CHEAP // 4

    def __init__(self, count):
        self.count = count

    @property
    def kind(self):
        return f"{self.count} first writers at once"

    @classmethod
    def variants(cls):
        return [cls(2), cls(3)]

    def inject(self, world, rng):
        empty = world.elsewhere()
        drains = [empty.start_drain() for _ in range(self.count)]
        for drain in drains:
            drain.wait().require()
        return 1
