"""Runs the levels of tests, each in a process of its own, and shows what each took of its budget.

`python tests/run.py` runs them all; `python tests/run.py unit e2e` those named.
"""

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parent.parent
BUDGETS = {"unit": 60, "docs": 60, "integration": 360, "crash": 300, "e2e": 300}
"""Seconds a level may take on two cores; the order is the order of running."""


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
        return "over budget" if self.seconds > BUDGETS[self.level] else ""

    def __str__(self) -> str:
        return (
            f"{self.level:<12} {self.passed:>6} {self.failed:>6} {self.skipped:>7}"
            f" {self.seconds:>6.0f} s {BUDGETS[self.level]:>6} s  {self.remark}"
        )


def run_level(level: str) -> Outcome:
    """Runs one level under coverage; its output goes straight to the terminal."""
    print(f"\n== {level}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "coverage", "run", "-m", "pytest", f"tests/{level}", f"--junitxml={report}"]
        started = time.monotonic()
        exit_code = subprocess.run(command, cwd=ROOT, check=False).returncode
        seconds = time.monotonic() - started
        # No report means that pytest itself could not start: count it as one failure.
        suites = ElementTree.parse(report).iter("testsuite") if report.exists() else []
        counts = [[int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")] for suite in suites]
    tests, failures, errors, skipped = (sum(column) for column in zip(*counts, strict=True)) if counts else (1, 1, 0, 0)
    return Outcome(level, exit_code, seconds, tests, failures + errors, skipped)


def main(levels: list[str]) -> int:
    """Runs the levels and returns the exit code: 1 when any of them failed."""
    if unknown := set(levels) - set(BUDGETS):
        print(f"no such level: {', '.join(sorted(unknown))}\nhint: one of {', '.join(BUDGETS)}", file=sys.stderr)
        return 2
    coverage = [sys.executable, "-m", "coverage"]
    subprocess.run([*coverage, "erase"], cwd=ROOT, check=True)
    outcomes = [run_level(level) for level in levels or BUDGETS]
    print("\n== coverage", flush=True)
    subprocess.run([*coverage, "combine", "--quiet"], cwd=ROOT, check=False)
    subprocess.run([*coverage, "report"], cwd=ROOT, check=False)
    print(f"\n{'level':<12} {'passed':>6} {'failed':>6} {'skipped':>7} {'took':>8} {'budget':>8}")
    for outcome in outcomes:
        print(outcome)
    passed, failed, skipped = (sum(getattr(o, key) for o in outcomes) for key in ("passed", "failed", "skipped"))
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped")
    return int(any(o.exit_code != 0 for o in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
