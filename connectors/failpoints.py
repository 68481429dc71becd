"""Named places where a test may kill the process, to prove that nothing is lost or doubled there.

`LAKEHOUSE_FAILPOINT=bronze-committed` kills at the first passage, `bronze-committed:3` at the third.
"""

import os
import signal
from collections import Counter

FAILPOINTS = ("polled", "bronze-committed", "quarantined", "silver-committed", "silver-replaced", "before-group-commit")
"""Those that a drain or a rebuild passes; a backfill has `partition-written`."""
LOAD_FAILPOINTS = ("load-extracted", "load-quarantined", "load-state-written", "load-committed")
"""Those that a batch load passes."""
VARIABLE = "LAKEHOUSE_FAILPOINT"

_passages: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """Dies of SIGKILL here if the environment asks for it."""
    wanted, _, count = os.environ.get(VARIABLE, "").partition(":")
    if wanted != name:
        return
    _passages[name] += 1
    if _passages[name] == int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)
