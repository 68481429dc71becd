import os
import shutil

from tests.crash.fault import CHEAP, Fault


class DiskFull(Fault):
    """The disk under an empty lake is soon full; later there is room again."""

    weight = CHEAP // 4
    needs_disk = True

    def inject(self, world, rng):
        ballast = world.disk / "ballast"
        lake = world.disk / "lake"
        shutil.rmtree(lake, ignore_errors=True)
        small = world.elsewhere(str(lake))
        with ballast.open("wb") as file:
            room = int(2 ** rng.uniform(12, 19))
            os.posix_fallocate(file.fileno(), 0, max(1, shutil.disk_usage(world.disk).free - room))
        outcome = small.drain()
        ballast.unlink()
        return 0 if outcome.require().clean else 1
