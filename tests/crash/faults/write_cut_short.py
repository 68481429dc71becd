import resource
from functools import partial

from tests.crash.fault import Fault


class WriteCutShort(Fault):
    """No file may grow beyond a size: a write ends in the middle, with the error of a quota or a full disk."""

    def inject(self, world, rng):
        size = int(2 ** rng.uniform(7, 15))
        outcome = world.drain(prepare=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size)))
        return 0 if outcome.require().clean else 1
