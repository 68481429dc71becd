"""Renews `jars.lock`: `python -m deployments.stack.lock_jars`."""

from concurrent.futures import ThreadPoolExecutor

import jgo
from jgo.maven import MavenContext

from deployments.stack.jars import DOWNLOADS, LOCK, checksum, fetch_jar

COORDINATES = (
    "org.apache.kafka:kafka_2.13:4.3.1",
    "org.apache.kafka:connect-runtime:4.3.1",
    "org.apache.kafka:connect-json:4.3.1",
    "io.debezium:debezium-connector-postgres:3.7.0.Final",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
    # What Connect's web server is built on; left to itself the resolver takes others, and Connect does not start.
    "jakarta.ws.rs:jakarta.ws.rs-api:3.1.0",
    "jakarta.servlet:jakarta.servlet-api:6.0.0",
    "jakarta.annotation:jakarta.annotation-api:2.1.1",
    "jakarta.inject:jakarta.inject-api:2.0.1",
    "org.eclipse.jetty.ee10:jetty-ee10-servlet:12.0.34",
    "org.eclipse.jetty:jetty-security:12.0.34",
    "org.eclipse.jetty:jetty-session:12.0.34",
)
"""What is run. The newest release of each is not always there as a whole: try it before you lock it."""

_DEBEZIUM = "io/debezium/connector/postgresql"
ENTRIES = {
    # How it goes on behind one of several rows that share an LSN, as those of one COPY do: 3.7.0 loses or repeats some.
    "io.debezium:debezium-connector-postgres:3.7.1.Final": (
        f"{_DEBEZIUM}/build",  # the version: who asks for it wants to know whether rows are lost
        f"{_DEBEZIUM}/connection/WalPositionLocator",
        f"{_DEBEZIUM}/connection/pgoutput/PgOutputMessageDecoder",
    )
}
"""What of a newer release is run in place of the same above, until all of it is there; see `jars`."""


def write_lock() -> None:
    """Resolves the coordinates with all they depend on, and writes the lock."""
    artifacts = jgo.resolve("+".join(COORDINATES))
    with ThreadPoolExecutor(DOWNLOADS) as pool:
        jars = list(pool.map(lambda artifact: artifact.resolve(), artifacts))
    lines = {
        f"{artifact.groupId}:{artifact.artifactId}:{artifact.version} {checksum(jar)}\n"
        for artifact, jar in zip(artifacts, jars, strict=True)
    }
    maven = MavenContext()
    lines |= {f"{it} {checksum(fetch_jar(maven, it))} {' '.join(entries)}\n" for it, entries in ENTRIES.items()}
    LOCK.write_text("".join(sorted(lines)))


if __name__ == "__main__":
    write_lock()
