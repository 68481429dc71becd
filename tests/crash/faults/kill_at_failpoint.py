from connectors.failpoints import FAILPOINTS, VARIABLE
from tests.crash.fault import Fault


class KillAtFailpoint(Fault):
    """The process dies of SIGKILL where the code says that it may, at one of the first passages."""

    def __init__(self, name):
        self.name = name

    @property
    def kind(self):
        return f"kill at {self.name}"

    @classmethod
    def variants(cls):
        return [cls(name) for name in FAILPOINTS]

    def inject(self, world, rng):
        for passage in (rng.randint(1, 4), 1):
            if world.drain(environment={VARIABLE: f"{self.name}:{passage}"}).killed:
                return 1
            # It came by less often: a second drain passes at least once, if it has something to do.
            world.source.change(rng)
        return 0
