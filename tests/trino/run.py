"""Runs the tests of reading with Trino: an engine that knows nothing of this library, and the nearest to Athena.

Trino is a download of 800 MB the first time; it runs on the Java that the project brings along.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import requests
from jgo.maven import MavenContext, PythonResolver

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
VERSION = "476"
SHA256 = "cfd5accde17e8ebd251eeeb78aed1f490e77bb3a164d95a0f454bf8a7c1cbd3f"  # pragma: allowlist secret
PLUGINS = {"delta-lake", "iceberg", "hive"}
_TEST_SECONDS = 280


def home():
    """Where Trino is, one folder for all checkouts of the user."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "lakehouse-flows" / f"trino-{VERSION}"


def install():
    """Downloads Trino, and unpacks what is needed of it, whole or not at all."""
    home().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=home().parent) as aside:
        maven = MavenContext(repo_cache=Path(aside) / "repository", resolver=PythonResolver())
        server = maven.project("io.trino", "trino-server").at_version(VERSION)
        packed = server.artifact(packaging="tar.gz").resolve()
        with packed.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != SHA256:
                raise RuntimeError(f"{packed.name} is not what was locked")
        with tarfile.open(packed) as archive:
            archive.extractall(aside, filter="data")
        whole = Path(aside) / f"trino-server-{VERSION}"
        for plugin in (whole / "plugin").iterdir():
            if plugin.name not in PLUGINS:
                shutil.rmtree(plugin)
        whole.rename(home())


def main():
    """Returns the exit code of the tests; zero, and a line that says so, where Trino can't be had."""
    if not home().exists():
        try:
            install()
        except (requests.RequestException, OSError) as error:
            print(f"SKIPPED the tests of reading with Trino: it can't be downloaded: {error}")
            return 0
    command = [sys.executable, "-m", "pytest", HERE, "-p", "no:xdist"]
    return subprocess.run(command, cwd=ROOT, check=False, timeout=_TEST_SECONDS).returncode


if __name__ == "__main__":
    sys.exit(main())
