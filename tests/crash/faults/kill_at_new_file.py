import os

from tests.crash.fault import CHEAP, Fault


class KillAtNewFile(Fault):
    """The process dies of SIGKILL as soon as there are so many more files below the lake, whole or begun."""

    weight = CHEAP // 2

    def inject(self, world, rng):
        root = world.settings.lake.root
        wanted = count_files(root) + rng.randint(1, 12)
        drain = world.start_drain()
        while count_files(root) < wanted:
            if drain.ended_within(0.001):
                break
        return int(drain.kill())


def count_files(root):
    return sum(len(files) for _, _, files in os.walk(root))
