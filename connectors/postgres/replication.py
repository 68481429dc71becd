"""Publication, replication slot and positions in the write-ahead log."""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from connectors.errors import ServiceUnavailable, SourceNotReady
from connectors.postgres.catalog import PUBLISHES_GENERATED_COLUMNS
from connectors.postgres.connection import Connection
from connectors.postgres.identifiers import TableName, quote_identifier
from connectors.postgres.lsn import parse_lsn

MARKER_PREFIX = "lakehouse"
"""Prefix of the logical messages that mark a position in the stream."""

_PUBLICATION_COMMENT = "made by lakehouse source register"
_LOCK_TIMEOUT = "10s"
SLOT_RELEASE_SECONDS = 30.0


@dataclass(frozen=True)
class SlotState:
    """A replication slot.

    Attributes:
        active: A connection reads from it now.
        restart_lsn: Oldest position whose log it keeps; None if that log is gone.
        confirmed_lsn: Position up to which its reader has confirmed everything.
        wal_status: `reserved`, `extended`, `unreserved` or `lost`.
        retained_bytes: How much log it keeps on the server's disk.
        inactive_seconds: How long nobody has read from it; None: somebody reads, or the server does not know (before
            PostgreSQL 17).
    """

    active: bool
    restart_lsn: int | None
    confirmed_lsn: int | None
    wal_status: str | None
    retained_bytes: int | None
    inactive_seconds: float | None = None


@dataclass(frozen=True)
class ServerIdentity:
    """Whose log it is: positions of two servers, or of two timelines, do not compare."""

    system_identifier: str
    timeline: int


def current_lsn(connection: Connection) -> int:
    """The position up to which the log is written."""
    return parse_lsn(_scalar(connection, "SELECT pg_current_wal_lsn()::text"))


def emit_marker(connection: Connection, content: str = "") -> int:
    """Writes a message into the log and returns its position.

    A reader of the stream that has the message has everything that was committed before it.
    """
    statement = "SELECT pg_logical_emit_message(true, %s, %s)::text"
    return parse_lsn(_scalar(connection, statement, MARKER_PREFIX, content))


def has_rows(connection: Connection, table: TableName) -> bool:
    """Whether a table has any row."""
    query = sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier(table.schema, table.name))
    return connection.execute(query).fetchone() is not None


def has_more_rows(connection: Connection, table: TableName, number: int) -> bool:
    """Whether a table has more rows than a number; counts no further."""
    query = sql.SQL("SELECT FROM {} OFFSET %s LIMIT 1").format(sql.Identifier(table.schema, table.name))
    return connection.execute(query, (number,)).fetchone() is not None


def current_snapshot(connection: Connection) -> str:
    """Which transactions the connection's transaction sees, as `xmin:xmax:xid,xid`."""
    return _scalar(connection, "SELECT pg_current_snapshot()::text")


def read_identity(connection: Connection) -> ServerIdentity:
    """Reads which server and timeline the connection is to."""
    system = _scalar(connection, "SELECT system_identifier::text FROM pg_control_system()")
    # The control file learns of a new timeline late; names of log files begin with it at once.
    segment = _scalar(connection, "SELECT pg_walfile_name(pg_current_wal_lsn())")
    return ServerIdentity(system_identifier=system, timeline=int(segment[:8], 16))


def read_slot(connection: Connection, slot: str) -> SlotState | None:
    """Reads the state of a slot; None if there is none."""
    row = connection.execute(
        """
        SELECT active, restart_lsn::text, confirmed_flush_lsn::text, wal_status,
               pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint,
               CASE WHEN NOT active
                    THEN extract(epoch FROM now() - (to_jsonb(s) ->> 'inactive_since')::timestamptz)::float8 END
        FROM pg_replication_slots AS s WHERE slot_name = %s
        """,
        (slot,),
    ).fetchone()
    if row is None:
        return None
    active, restart, confirmed, wal_status, retained, inactive = row
    return SlotState(
        active=active,
        restart_lsn=None if restart is None else parse_lsn(restart),
        confirmed_lsn=None if confirmed is None else parse_lsn(confirmed),
        wal_status=wal_status,
        retained_bytes=retained,
        inactive_seconds=inactive,
    )


def slot_wal_limit(connection: Connection) -> int | None:
    """Returns how many bytes of log the server keeps for a slot at the most; None: as much as it takes."""
    megabytes = int(_scalar(connection, "SELECT setting FROM pg_settings WHERE name = 'max_slot_wal_keep_size'"))
    return None if megabytes < 0 else megabytes * 2**20


@dataclass(frozen=True)
class OpenTransaction:
    """A transaction that has written, and has not ended: no replication slot can be made before it does.

    Attributes:
        name: Whose it is, with the number of its process, or its own name if it was prepared.
        seconds: For how long.
        end: SQL that ends it.
    """

    name: str
    seconds: float
    end: str

    def __str__(self) -> str:
        return self.name


def open_transactions(connection: Connection) -> list[OpenTransaction]:
    """Returns the open transactions of the server, oldest first."""
    rows = connection.execute(
        """
        SELECT format('the transaction of %s in %s (pid %s)', usename, datname, pid),
               extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds,
               format('SELECT pg_terminate_backend(%s);', pid)
        FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
        UNION ALL
        SELECT format('the prepared transaction %L of %s in %s', gid, owner, database),
               extract(epoch FROM clock_timestamp() - prepared)::float8,
               format('ROLLBACK PREPARED %L;', gid)
        FROM pg_prepared_xacts
        ORDER BY seconds DESC
        """
    ).fetchall()
    return [OpenTransaction(*row) for row in rows]


_OPERATIONS = "insert, update, delete, truncate"
# Columns that not every version of the server has are read by name.
_PUBLISHED = """
    SELECT n.nspname, c.relname,
           CASE WHEN to_jsonb(r) ->> 'prqual' IS NOT NULL THEN 'rows by a filter' END,
           CASE WHEN to_jsonb(r) ->> 'prattrs' IS NOT NULL THEN 'columns that it does not list' END,
           CASE WHEN NOT p.pubinsert THEN 'inserts' END,
           CASE WHEN NOT p.pubupdate THEN 'updates' END,
           CASE WHEN NOT p.pubdelete THEN 'deletes' END,
           CASE WHEN NOT p.pubtruncate THEN 'truncations' END,
           CASE WHEN c.relkind = 'p' AND NOT p.pubviaroot THEN 'changes under the name of the partitioned table' END,
           CASE WHEN to_jsonb(p) ->> 'pubgencols' = 'n' AND EXISTS (
               SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated = 's' AND NOT a.attisdropped
           ) THEN 'generated columns' END
    FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
    JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE p.pubname = %(publication)s
"""


def drop_slot(connection: Connection, slot: str, *, patience: float = SLOT_RELEASE_SECONDS) -> bool:
    """Drops a slot as soon as nobody reads from it; returns whether there was one.

    Raises:
        ServiceUnavailable: Somebody kept reading from it.
    """
    try:
        for attempt in Retrying(
            retry=retry_if_exception_type(psycopg.errors.ObjectInUse),
            stop=stop_after_delay(patience),
            wait=wait_fixed(0.2),
            reraise=True,
        ):
            with attempt, connection.transaction():
                connection.execute("SELECT pg_drop_replication_slot(%s)", (slot,))
    except psycopg.errors.UndefinedObject:
        return False
    except psycopg.errors.ObjectInUse as error:
        raise ServiceUnavailable(
            f"replication slot {slot!r} is still being read from",
            hint="stop the connector that reads from it, then try again",
        ) from error
    return True


def published_tables(connection: Connection, publication: str) -> list[TableName] | None:
    """Tables that a publication publishes whole, sorted; None if there is no such publication."""
    narrowed = narrowed_tables(connection, publication)
    return None if narrowed is None else sorted(table for table, omitted in narrowed.items() if not omitted)


def estimate_rows(connection: Connection, tables: Sequence[TableName]) -> int | None:
    """Returns how many rows tables have, as their statistics say; None if one of them has none yet."""
    row = connection.execute(
        """
        WITH RECURSIVE parts AS (
            SELECT to_regclass(name)::oid AS oid FROM unnest(%s::text[]) AS name
            UNION ALL SELECT i.inhrelid FROM parts p JOIN pg_inherits i ON i.inhparent = p.oid
        )
        SELECT sum(c.reltuples)::bigint, min(c.reltuples) FROM parts JOIN pg_class c USING (oid) WHERE c.relkind = 'r'
        """,
        [[table.quoted for table in tables]],
    ).fetchone()
    return None if row is None or row[0] is None or row[1] < 0 else int(row[0])


def narrowed_tables(connection: Connection, publication: str) -> dict[TableName, str] | None:
    """Returns what a publication omits of each table that it names, in words; None if there is no such publication."""
    if not _exists(connection, publication):
        return None
    rows = connection.execute(_PUBLISHED, {"publication": publication})
    return {TableName(schema, name): ", ".join(filter(None, omitted)) for schema, name, *omitted in rows}


def ensure_publication(connection: Connection, publication: str, tables: Sequence[TableName]) -> bool:
    """Makes a publication name exactly these tables; returns whether anything had to change.

    Raises:
        SourceNotReady: There is a publication of that name which is not ours.
    """
    name = quote_identifier(publication)
    listed = ", ".join(f"TABLE ONLY {table.quoted}" for table in sorted(tables))
    options = "publish_via_partition_root = true"
    if connection.info.server_version >= PUBLISHES_GENERATED_COLUMNS:
        options += ", publish_generated_columns = stored"
    published = narrowed_tables(connection, publication)
    if published is not None:
        _require_ours(connection, publication)
    # Each only where it is needed: whatever alters the publication is looked into by the next drain.
    needed = {
        f"CREATE PUBLICATION {name} FOR {listed} WITH ({options})": published is None,
        f"COMMENT ON PUBLICATION {name} IS '{_PUBLICATION_COMMENT}'": published is None,
        f"ALTER PUBLICATION {name} SET {listed}": published is not None and published != dict.fromkeys(tables, ""),
        f"ALTER PUBLICATION {name} SET (publish = '{_OPERATIONS}', {options})": any((published or {}).values()),
    }
    with connection.transaction():
        connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        for statement, is_needed in needed.items():
            if is_needed:
                connection.execute(statement)
    return any(needed.values())


def unpublish(connection: Connection, publication: str, table: TableName) -> None:
    """Takes a table out of our publication."""
    _require_ours(connection, publication)
    with connection.transaction():
        connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        connection.execute(f"ALTER PUBLICATION {quote_identifier(publication)} DROP TABLE ONLY {table.quoted}")


def drop_publication(connection: Connection, publication: str) -> bool:
    """Drops our publication; returns whether there was one.

    Raises:
        SourceNotReady: The publication is not ours.
    """
    if not _exists(connection, publication):
        return False
    _require_ours(connection, publication)
    connection.execute(f"DROP PUBLICATION IF EXISTS {quote_identifier(publication)}")
    return True


def _exists(connection: Connection, publication: str) -> bool:
    found = connection.execute("SELECT FROM pg_publication WHERE pubname = %s", (publication,))
    return found.fetchone() is not None


def _require_ours(connection: Connection, publication: str) -> None:
    statement = "SELECT obj_description(oid, 'pg_publication') FROM pg_publication WHERE pubname = %s"
    if _scalar(connection, statement, publication) != _PUBLICATION_COMMENT:
        raise SourceNotReady(
            f"publication {publication!r} exists and was not made by this library",
            hint="choose another name for the source with LAKEHOUSE_CDC__SOURCE, or drop the publication yourself",
        )


def _scalar(connection: Connection, statement: str, *parameters: str) -> str:
    row = connection.execute(statement, parameters).fetchone()
    if row is None:
        raise SourceNotReady(f"PostgreSQL returned nothing for: {statement}")
    return row[0]  # type: ignore[no-any-return]
