"""Runs the tests of the Spark engine, where there is a Java that Spark runs on: a full JDK or JRE of 17 or newer.

Spark is installed apart from everything else, as locked: it is larger than all the rest.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
ENVIRONMENT = ROOT / ".boot" / "spark"
UV = ROOT / ".boot" / "bin" / "uv"
_OLDEST_JAVA = 17
_TEST_SECONDS = 280


def find_java():
    """The java that Spark would take, of `JAVA_HOME` or on the path; None if it is none that Spark runs on.

    The cut-down runtime of this project lacks a module that Spark asks for.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    if java is None:
        return None
    said = subprocess.run([java, "-version"], check=False, capture_output=True, text=True).stderr
    version = re.search(r'version "(\d+)', said)
    return java if version and int(version[1]) >= _OLDEST_JAVA else None


def main():
    """Returns the exit code of the tests; zero, and a line that says so, where they can't be run."""
    if find_java() is None:
        print(f"SKIPPED the tests of the Spark engine: there is no Java {_OLDEST_JAVA} or newer")
        return 0
    lock = ["--require-hashes", "--no-deps", "-r", HERE / "requirements.lock"]
    if not (ENVIRONMENT / "pyspark").exists():
        subprocess.run([UV, "--quiet", "pip", "install", "--target", ENVIRONMENT, *lock], check=True)
    command = [sys.executable, "-m", "pytest", HERE, "-p", "no:xdist"]
    environment = os.environ | {"PYTHONPATH": f"{ENVIRONMENT}{os.pathsep}{ROOT}", "PYSPARK_PYTHON": sys.executable}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False, timeout=_TEST_SECONDS).returncode


if __name__ == "__main__":
    sys.exit(main())
