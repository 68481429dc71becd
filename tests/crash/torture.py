"""Faults of all kinds in random mixture, as many as are wanted: `python -m tests.crash.torture --faults 1000`.

Talk goes to stderr, one line of JSON with the figures to stdout. The exit code is 0 only if nothing was lost or
doubled, no progress went back, and every drain after a fault succeeded.
"""

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from tests.cases.case import all_cases
from tests.crash.audit import Verdict
from tests.crash.disk import small_disk
from tests.crash.fault import all_faults, strike
from tests.crash.world import fresh_world
from tests.services import running_services

_CASES_OF_A_WORLD = 10
_ROUNDS_OF_A_WORLD = 50
_FAULTS_A_LINE = 25


class Torture:
    """One run.

    Args:
        seed: Of all random numbers; what depends on time is not the same again.
        faults: How many there are to be.
        seconds: When to stop all the same; None: never.

    Attributes:
        kinds: How many faults there were of each kind.
        verdict: What all audits found together.
        at: Where the run is, for a report of failure.
    """

    def __init__(self, *, seed, faults, seconds):
        self.kinds = Counter()
        self.verdict = Verdict()
        self.at = "the start"
        self._seed = seed
        self._wanted = faults
        self._seconds = seconds
        self._began = time.monotonic()
        self._rounds = 0

    @property
    def elapsed(self):
        """Seconds since the start."""
        return time.monotonic() - self._began

    @property
    def done(self):
        """Enough faults, no time left, or something is wrong."""
        late = self._seconds is not None and self.elapsed > self._seconds
        return late or self.kinds.total() >= self._wanted or not self.verdict.good

    def run(self, services, folder, disk):
        """Lets faults happen to one world after the other, each with tables of some cases."""
        mixture = self._mixture([fault for fault in all_faults() if disk is not None or not fault.needs_disk])
        while not self.done:
            self.at = f"the making of a world after round {self._rounds}"
            place = folder / f"world-{self._rounds}"
            cases = random.Random(f"{self._seed}/world/{self._rounds}").sample(all_cases(), _CASES_OF_A_WORLD)
            with fresh_world(services, place, cases=cases) as world:
                world.disk = disk
                for _ in range(_ROUNDS_OF_A_WORLD):
                    if not self.done:
                        self._round(world, next(mixture))
                self.verdict += world.audit(everything=True)
            if self.verdict.good:
                shutil.rmtree(place)

    def _mixture(self, faults):
        """Every fault once, then each as often as its weight says."""
        rng = random.Random(self._seed)
        yield from rng.sample(faults, len(faults))
        while True:
            yield from rng.choices(faults, [fault.weight for fault in faults])

    def _round(self, world, fault):
        self._rounds += 1
        self.at = f"round {self._rounds}, after {self.kinds.total()} faults: {fault.kind}, {world.settings.lake.root}"
        lines = self.kinds.total() // _FAULTS_A_LINE
        happened, verdict = strike(world, fault, random.Random(f"{self._seed}/{self._rounds}"))
        self.verdict += verdict
        if happened:
            self.kinds[fault.kind] += happened
        if self.kinds.total() // _FAULTS_A_LINE > lines:
            print(f"{self.kinds.total():>6} faults in {self.elapsed:.0f} s", file=sys.stderr, flush=True)


def main(argv=None):
    """Runs, reports, and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--faults", type=int, default=1000, help="how many")
    parser.add_argument("--seconds", type=float, help="stop after so long")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args(argv)
    print(f"seed {options.seed}", file=sys.stderr, flush=True)
    # Told to end, it stops what it started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    torture, error = Torture(**vars(options)), None
    try:
        with running_services(folder / "stack") as services, small_disk(folder / "disk") as disk:
            torture.run(services, folder, disk)
    except Exception:  # noqa: BLE001 - the edge of the process: it reports and exits
        error = traceback.format_exc()
    failed = error is not None or not torture.verdict.good
    if failed:
        print(f"FAILED with seed {options.seed} in {torture.at}", file=sys.stderr)
        print(error or "\n".join(torture.verdict.details), f"the lake is kept in {folder}", sep="\n", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    found = {name: getattr(torture.verdict, name) for name in ("lost", "doubled", "regressed")}
    figures = {"faults": torture.kinds.total(), **found, "seed": options.seed, "seconds": round(torture.elapsed)}
    print(json.dumps({**figures, "failed": failed, "kinds": dict(sorted(torture.kinds.items()))}))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
