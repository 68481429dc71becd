"""The container engine of this machine, where there is one."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def docker(*arguments, within=60):
    """Lets the engine do something, in so many seconds."""
    subprocess.run(["docker", *arguments], cwd=ROOT, check=True, timeout=within)


def can(*arguments, within):
    """Whether the engine does it; no `docker` command, no engine, and one that keeps silent are the same."""
    try:
        docker(*arguments, within=within)
    except (OSError, subprocess.SubprocessError):
        return False
    return True
