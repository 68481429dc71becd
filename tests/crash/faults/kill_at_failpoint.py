from functools import partial

from connectors.cdc.rebuild import rebuild_checked
from connectors.failpoints import FAILPOINTS, VARIABLE
from tests.crash.fault import CHEAP, Fault

PASSAGES = {"polled": 2, "bronze-committed": 2, "before-group-commit": 1, "silver-replaced": 1}


class KillAtFailpoint(Fault):
    """The process dies of SIGKILL where the code says that it may, at one of the first passages."""

    weight = CHEAP // 3

    def __init__(self, name, passage):
        self.name = name
        self.passage = passage

    @property
    def kind(self):
        return f"kill at {self.name}:{self.passage}"

    @classmethod
    def variants(cls):
        return [cls(name, n) for name in FAILPOINTS for n in range(1, PASSAGES.get(name, 4) + 1)]

    def inject(self, world, rng):
        world.source.change(rng, cases=self.passage)
        environment = {VARIABLE: f"{self.name}:{self.passage}"}
        rebuilding = partial(rebuild_checked, table=world.pick_table(rng))
        return int(world.drain(environment=environment, then=rebuilding).killed)
