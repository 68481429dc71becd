"""Things that go wrong while changes are drained, each in a file of its own.

To add one, write `faults/<name>.py` with one class; tests and `make torture` find it there:

    class KillBeforeNoon(Fault):
        def inject(self, world, rng):
            drain = world.start_drain()
            return int(drain.kill())

There are changes to be drained when `inject` is called. It returns after everything that it broke works again, or
will by itself. A clean drain and the audit follow, see `strike`.
"""

import importlib
import math
import pkgutil
import re
import time
from pathlib import Path

CHEAP = 20
OUTAGE = 1
"""Weights: of what takes a second or two, and of what takes ten times as long."""


class Fault:
    """One way in which a drain, or what it depends on, fails.

    Attributes:
        weight: How often `make torture` picks it, compared with the others: the more a fault costs, the less.
        needs_disk: It fills `world.disk`, which not every user may have.
    """

    weight = CHEAP
    needs_disk = False
    _took = math.inf

    @property
    def kind(self):
        """What it is called, in words."""
        return re.sub(r"(?<!^)(?=[A-Z])", " ", type(self).__name__).lower()

    @classmethod
    def variants(cls):
        """The faults of this class; one, as a rule."""
        return [cls()]

    def inject(self, world, rng):
        """Lets it happen, as the random numbers say; returns how many faults there were.

        A kill that came too late, or a failpoint that was not passed, is none.
        """
        raise NotImplementedError

    def kill(self, drain, rng, *, after=0.0, within):
        """Kills a drain at a moment by chance; returns whether it had not ended yet.

        Args:
            drain: What is killed.
            rng: The random numbers.
            after: Seconds that it has at least.
            within: Seconds that it may take. Where one ended earlier, the next has that long.
        """
        began = time.monotonic()
        within = min(within, self._took)
        ended = drain.ended_within(rng.uniform(min(after, within / 2), within))
        # Longer again after a hit: the one that ended may have been a fast one.
        self._took = time.monotonic() - began if ended else within * 1.25
        return drain.kill()


def all_faults():
    """Every fault, in the order of their files."""
    folder = Path(__file__).parent / "faults"
    modules = [importlib.import_module(f"tests.crash.faults.{m.name}") for m in pkgutil.iter_modules([str(folder)])]
    classes = [c for module in modules for c in vars(module).values() if _is_fault_of(module, c)]
    return [fault for c in classes for fault in c.variants()]


def strike(world, fault, rng):
    """A round: changes, the fault, a clean drain, the audit; returns how many faults there were, and the verdict."""
    world.source.change(rng, cases=rng.randint(1, 2))
    happened = fault.inject(world, rng)
    return happened, world.finish()


def _is_fault_of(module, found):
    return isinstance(found, type) and issubclass(found, Fault) and found.__module__ == module.__name__
