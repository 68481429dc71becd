"""Connections to the source database, with errors that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.rows import TupleRow

from connectors.errors import ConfigurationError, ServiceUnavailable
from connectors.settings import PostgresSettings

Connection = psycopg.Connection[TupleRow]

APPLICATION_NAME = "lakehouse"
CONNECT_TIMEOUT_SECONDS = 5

# Whatever the database's own settings: those would round floats, and Debezium misreads other styles silently.
TEXT_FORMATS = "-c DateStyle=ISO -c IntervalStyle=postgres -c bytea_output=hex -c extra_float_digits=1"
"""Startup options that settle how PostgreSQL writes values as text."""

SESSION_LIMITS = (
    "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0"
    " -c default_transaction_read_only=off"
)
"""Startup options that lift what a role or database may have set for its applications: snapshots take long."""

# libpq keeps no SQLSTATE of a refused log-in, so its text is all there is to distinguish them.
_REFUSALS = (
    ("password authentication failed", "check LAKEHOUSE_POSTGRES__USER and LAKEHOUSE_POSTGRES__PASSWORD"),
    ("no password supplied", "set LAKEHOUSE_POSTGRES__PASSWORD"),
    ("no pg_hba.conf entry", "allow this user, database and address in the server's pg_hba.conf"),
    ("not permitted to log in", "`ALTER ROLE ... LOGIN`, or check LAKEHOUSE_POSTGRES__USER"),
    ("role", "check LAKEHOUSE_POSTGRES__USER"),
    ("database", "check LAKEHOUSE_POSTGRES__DATABASE"),
)


def _refusal_hint(text: str) -> str | None:
    for sign, hint in _REFUSALS:
        if sign in text and (sign not in ("role", "database") or "does not exist" in text):
            return hint
    return None


def _open(postgres: PostgresSettings) -> Connection:
    if postgres.host is None:
        raise ConfigurationError(
            "no PostgreSQL is configured",
            hint="start the local one with `lakehouse up`, or set LAKEHOUSE_POSTGRES__HOST to use your own",
        )
    address = f"{postgres.user}@{postgres.host}:{postgres.port}/{postgres.database}"
    try:
        return psycopg.connect(
            host=postgres.host,
            port=postgres.port,
            user=postgres.user,
            password=None if postgres.password is None else postgres.password.get_secret_value(),
            dbname=postgres.database,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            application_name=APPLICATION_NAME,
            options=f"-c TimeZone=UTC {TEXT_FORMATS} {SESSION_LIMITS}",
            # Of a database without an encoding, texts would arrive as bytes.
            client_encoding="utf8",
            autocommit=True,
        )
    except psycopg.OperationalError as error:
        hint = _refusal_hint(str(error))
        if hint is not None:
            raise ConfigurationError(f"PostgreSQL at {address} refused the log-in: {error}", hint=hint) from error
        raise ServiceUnavailable(
            f"PostgreSQL at {address} did not answer: {error}",
            hint="check that it runs and that LAKEHOUSE_POSTGRES__HOST and __PORT are right",
        ) from error


@contextmanager
def connect(postgres: PostgresSettings) -> Iterator[Connection]:
    """Opens a connection in autocommit and UTC, closed at the end.

    Raises:
        ConfigurationError: No host is set, the log-in was refused, or the user lacks a right.
        ServiceUnavailable: The server did not answer, went away, or a lock was not to be had.
    """
    with _open(postgres) as connection:
        try:
            yield connection
        except psycopg.OperationalError as error:
            raise ServiceUnavailable(
                f"PostgreSQL at {postgres.host}:{postgres.port} could not answer: {error}",
                hint="try again; if it stays so, look into the server's log",
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise ConfigurationError(
                f"user {postgres.user} lacks a right: {error}",
                hint="`lakehouse source check` lists the rights that are missing, with the SQL that grants them",
            ) from error
