"""S3 that fails at any of the requests of a job, in any way: the job run again leaves the lake whole.

`python -m tests.crash.sweep` fails every request in every way, job by job, and tells what came of it; it takes hours.
`--strikes 100` takes so many of each job's ways, at random.
"""

import argparse
import itertools
import random
import sys
import tempfile
import uuid
from collections import Counter
from contextlib import contextmanager

import fsspec
import pytest

from connectors.cdc.rebuild import rebuild_silver
from connectors.errors import ConfigurationError, TransientError
from connectors.lake.bronze import BronzeLog
from tests.crash.proxy import FAULTS, s3_proxy
from tests.crash.s3_lake import BATCH, ROWS, TABLE, S3Lake
from tests.lake import as_recorded
from tests.s3 import local_s3

IMPATIENT = {"AWS_MAX_ATTEMPTS": "1", "AWS_TIMEOUT": "1s"}
FOR_READERS = ("500", "time-out", "reset", "torn", "403")
COMMITS_BEFORE_CHECKPOINT = 49


def _rebuild(lake):
    rebuild_silver(lake.settings, TABLE.table, checked=as_recorded(lake.settings))


def _read(lake):
    assert lake.read() == ROWS


class Job:
    """Something that a lake goes through, which is run again when it fails.

    Args:
        name: What it is called.
        run: What is done, to a lake.
        before: What was done before, in a lake that every run gets a copy of; nothing by default.
    """

    def __init__(self, name, run, *, before=None):
        self.name = name
        self._run, self._before = run, before
        self._template = None

    def fresh_lake(self):
        """A lake that is ready for the job."""
        prefix = uuid.uuid4().hex
        if self._before is None:
            return S3Lake(prefix)
        if self._template is None:
            self._template = S3Lake(f"template-{prefix}")
            self._before(self._template)
        return self._template.copy(prefix)

    def run(self, lake):
        """Does it."""
        self._run(lake)

    def requests(self, proxy):
        """What it asks of S3 when nothing fails: methods and paths."""
        lake = self.fresh_lake()
        proxy.heal()
        self._run(lake)
        return list(proxy.requests)


def _before_checkpoint(lake):
    lake.drain(until=BATCH)
    bronze = BronzeLog(lake.layout)
    while bronze.batch < COMMITS_BEFORE_CHECKPOINT - 1:
        bronze.confirm(bronze.through._replace(lsn=bronze.through.lsn + 1))


def all_jobs():
    """What the lake goes through, each with lakes of its own."""
    return [
        Job("first drain", S3Lake.drain),
        Job("next drain", S3Lake.drain, before=lambda lake: lake.drain(until=BATCH)),
        Job("drain with a checkpoint", S3Lake.drain, before=_before_checkpoint),
        Job("rebuild", _rebuild, before=S3Lake.drain),
        Job("read", _read, before=S3Lake.drain),
    ]


def ways(job, proxy):
    """Every way in which the job can fail: the number of the request, the fault, whether it is for good.

    Of two faults that a reader can't tell apart, one will do.
    """
    for nth, (method, _) in enumerate(job.requests(proxy), start=1):
        faults = FOR_READERS if method in ("GET", "HEAD") else (*FAULTS, "403")
        yield from itertools.product([nth], faults, [False, True])


def strike(job, proxy, nth, fault, for_good):
    """Lets the job fail, runs it again, and returns what came of it and what is wrong with the lake then."""
    lake = job.fresh_lake()
    proxy.fail(fault, nth=nth, for_good=for_good)
    outcome = "went on" if _impatiently(job, lake, refused=fault == "403") else "failed"
    outcome = outcome if proxy.failed else "was not met"
    proxy.heal()
    job.run(lake)
    return outcome, lake.audit()


def _impatiently(job, lake, *, refused):
    """Runs it with a client that tries once and waits for a second; returns whether it succeeded."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in IMPATIENT.items():
            environment.setenv(name, value)
        environment.setitem(fsspec.config.conf, "s3", {"config_kwargs": {"read_timeout": 1}})
        try:
            job.run(lake)
        except ConfigurationError:
            assert refused
            return False
        except TransientError:
            return False
        return True


@contextmanager
def storage():
    """S3 with a proxy before it, and an empty home."""
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as environment:
        environment.setenv("LAKEHOUSE_HOME", home)
        with local_s3(), s3_proxy() as proxy:
            yield proxy


def sweep(job, proxy, chosen):
    """Fails a job in the chosen ways; returns how often what came of which fault, and what was wrong then."""
    outcomes, wrong = Counter(), []
    for nth, fault, for_good in chosen:
        try:
            outcome, found = strike(job, proxy, nth, fault, for_good)
        except Exception as error:  # noqa: BLE001 - told with all others
            outcome, found = "broke", repr(error)
        outcomes[fault, outcome] += 1
        if found:
            wrong.append((nth, fault, for_good))
            print(f"{job.name}: {wrong[-1]} {outcome}: {found}", file=sys.stderr, flush=True)
    return outcomes, wrong


def main(argv=None):
    """Sweeps, tells what came of it, and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("jobs", nargs="*", help=f"of {', '.join(job.name for job in all_jobs())}; by default all")
    parser.add_argument("--strikes", type=int, help="how many of each job's ways, at random; by default all")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args(argv)
    print(f"seed {options.seed}", file=sys.stderr, flush=True)
    rng, failed = random.Random(options.seed), False
    with storage() as proxy:
        for job in all_jobs():
            if not options.jobs or job.name in options.jobs:
                every = list(ways(job, proxy))
                chosen = every if options.strikes is None else rng.sample(every, min(options.strikes, len(every)))
                outcomes, wrong = sweep(job, proxy, chosen)
                failed = failed or bool(wrong)
                print(f"{job.name}: {len(chosen)} of {len(every)} ways to fail, {len(wrong)} left something wrong")
                for (fault, outcome), count in sorted(outcomes.items()):
                    print(f"  {fault:<12} {outcome:<12} {count:>5}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
