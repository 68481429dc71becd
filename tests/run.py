"""Runs the levels of tests and shows what each took of its budget: `python -m tests.run`, or `... unit e2e`.

One stack serves the levels that need PostgreSQL, Kafka and Kafka Connect; it starts while the unit tests run. Tests
keep apart by database, source and lake. With `--coverage`, what they run of the code is reported, and takes its time.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.services import SHARED_STACK, StackServices, running_services, shared

ROOT = Path(__file__).parent.parent
JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Options for stacks that live for minutes: what Java would compile better costs more than it saves."""


@dataclass(frozen=True)
class Level:
    """One level of tests.

    Attributes:
        budget: Seconds it may take on two cores.
        workers: How many processes its tests are spread over.
        spread: How, in the words of pytest-xdist: file by file, or each to whoever is free.
        needs_stack: Whether it uses the shared stack.
    """

    budget: int
    workers: int = 1
    spread: str = "loadfile"
    needs_stack: bool = False


LEVELS = {
    "unit": Level(60, workers=2, spread="worksteal"),
    "docs": Level(30),
    "integration": Level(300, workers=3, needs_stack=True),
    "crash": Level(300, needs_stack=True),
    "e2e": Level(300),
}
WAVES = (("unit",), ("docs",), ("integration",), ("crash", "e2e"))
"""Levels of one wave run at the same time: while one waits for services, the other works."""


@dataclass(frozen=True)
class Outcome:
    """What one level came to."""

    level: str
    exit_code: int
    seconds: float
    tests: int
    failed: int
    skipped: int

    @property
    def passed(self) -> int:
        return self.tests - self.failed - self.skipped

    @property
    def remark(self) -> str:
        if self.exit_code != 0:
            return "FAILED"
        return "over budget" if self.seconds > LEVELS[self.level].budget else ""

    def __str__(self) -> str:
        return (
            f"{self.level:<12} {self.passed:>6} {self.failed:>6} {self.skipped:>7}"
            f" {self.seconds:>6.0f} s {LEVELS[self.level].budget:>6} s  {self.remark}"
        )


def run_level(name: str, environment: dict[str, str], *, quietly: bool, program: Sequence[str]) -> Outcome:
    """Runs one level; its output goes straight to the terminal, or all of it at the end."""
    workers, dist = LEVELS[name].workers, LEVELS[name].spread
    spread = ["-n", str(workers), "--dist", dist, "--no-loadscope-reorder"] if workers > 1 else []
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report, log = Path(folder) / "report.xml", Path(folder) / "log"
        command = [*program, "pytest", f"tests/{name}", f"--junitxml={report}", "--durations=10", *spread]
        with log.open("w") as output:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                check=False,
                stdout=output if quietly else None,
                stderr=subprocess.STDOUT if quietly else None,
            )
        seconds = time.monotonic() - started
        if quietly:
            print(f"\n== {name}", log.read_text(), sep="\n", flush=True)
        # No report means that pytest itself could not start: count it as one failure.
        suites = ElementTree.parse(report).iter("testsuite") if report.exists() else []
        counts = [[int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")] for suite in suites]
    tests, failures, errors, skipped = (sum(column) for column in zip(*counts, strict=True)) if counts else (1, 1, 0, 0)
    return Outcome(name, done.returncode, seconds, tests, failures + errors, skipped)


@contextmanager
def shared_stack() -> Iterator[Future[StackServices]]:
    """Starts the stack beside whatever else goes on; stops and deletes it at the end."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool, ExitStack() as stack:
        starting = pool.submit(stack.enter_context, running_services(Path(folder) / "a stack"))
        try:
            yield starting
        finally:
            # What is still starting is stopped after that.
            starting.exception()


def run_waves(levels: Sequence[str], program: Sequence[str]) -> Iterator[Outcome]:
    """Runs levels wave by wave."""
    environment = dict(os.environ)
    with ExitStack() as stack:
        starting = stack.enter_context(shared_stack()) if any(LEVELS[name].needs_stack for name in levels) else None
        for wave in WAVES:
            chosen = [name for name in wave if name in levels]
            if starting is not None and any(LEVELS[name].needs_stack for name in chosen):
                environment[SHARED_STACK] = json.dumps(shared(starting.result()))
            for name in chosen:
                print(f"\n== {name}{'' if len(chosen) == 1 else ' begins'}", flush=True)
            with ThreadPoolExecutor(len(wave)) as pool:
                runs = [
                    pool.submit(run_level, name, environment, quietly=name != chosen[0], program=program)
                    for name in chosen
                ]
            yield from (run.result() for run in runs)


@contextmanager
def coverage() -> Iterator[list[str]]:
    """Begins a report; the program that writes to it runs a module."""
    program = [sys.executable, "-m", "coverage"]
    subprocess.run([*program, "erase"], cwd=ROOT, check=True)
    yield [*program, "run", "-m"]
    subprocess.run([*program, "combine", "--quiet"], cwd=ROOT, check=False)
    subprocess.run([*program, "report"], cwd=ROOT, check=False)


def main(arguments: list[str]) -> int:
    """Runs the levels and returns the exit code: 1 when any of them failed."""
    levels = [name for name in arguments if name != "--coverage"]
    if unknown := set(levels) - set(LEVELS):
        print(f"no such level: {', '.join(sorted(unknown))}\nhint: one of {', '.join(LEVELS)}", file=sys.stderr)
        return 2
    # Told to end, it stops what it started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    os.environ.setdefault("JDK_JAVA_OPTIONS", JAVA)
    started = time.monotonic()
    with coverage() if levels != arguments else nullcontext([sys.executable, "-m"]) as program:
        outcomes = list(run_waves(levels or list(LEVELS), program))
    print(f"\n{'level':<12} {'passed':>6} {'failed':>6} {'skipped':>7} {'took':>8} {'budget':>8}")
    for outcome in outcomes:
        print(outcome)
    passed, failed, skipped = (sum(getattr(o, key) for o in outcomes) for key in ("passed", "failed", "skipped"))
    print(f"all levels took {time.monotonic() - started:.0f} s")
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped")
    return int(any(o.exit_code != 0 for o in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
