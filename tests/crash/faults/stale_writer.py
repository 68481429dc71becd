import signal

from tests.crash.fault import Fault


class StaleWriter(Fault):
    """A process stands still somewhere, another one does all the work, then the first one goes on where it was."""

    def inject(self, world, rng):
        stale = world.start_drain()
        if stale.ended_within(rng.uniform(0, world.seconds)):
            return 0
        stopped = stale.send(signal.SIGSTOP)
        world.drain().require()
        # It may have been at its very end, where it can't be stopped any more.
        went_on = stale.send(signal.SIGCONT)
        stale.wait().require()
        return int(stopped and went_on)
