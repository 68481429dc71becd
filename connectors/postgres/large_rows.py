"""Rows that are larger than a message of the stream may be."""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import psycopg
from psycopg import sql

from connectors.postgres.connection import Connection
from connectors.postgres.contracts import ColumnContract, TableContract
from connectors.postgres.identifiers import TableName

_TEXTS = frozenset({"text", "varchar", "bpchar"})
_NAMED = 3
_LONGEST_KEY = 100
# PostgreSQL compresses no value to less than this part of its size.
_COMPRESSION = 300

_STORED = """
    SELECT oid::bigint, pg_relation_size(reltoastrelid) FROM pg_class WHERE oid = ANY(%s) AND reltoastrelid <> 0
"""


@dataclass(frozen=True)
class LargeRow:
    """A row that takes much of a message, or more.

    Attributes:
        table: Its table.
        key: `id = 5`; of a table without a key where it lies, `ctid = (0,1)`.
        size: Bytes of its values in a message, roughly, and rather fewer than more.
    """

    table: TableName
    key: str
    size: int


@dataclass(frozen=True)
class LargeRows:
    """What was found.

    Attributes:
        rows: The largest few of each table.
        unread: Tables that there was no time for.
    """

    rows: tuple[LargeRow, ...]
    unread: tuple[TableName, ...]


def find_large_rows(
    connection: Connection, contracts: Iterable[TableContract], *, over: int, seconds: float
) -> LargeRows:
    """Looks for rows that take more than `over` bytes; of tables that may have some, all rows are looked at.

    Args:
        connection: One in autocommit.
        contracts: The tables, as the catalogue has them now; all of them can be read.
        over: Bytes.
        seconds: How long all of it may take.
    """
    of_member = {m.oid: c for c in contracts if c.fingerprint is not None for m in c.fingerprint.members}
    stored: dict[TableName, int] = defaultdict(int)
    for oid, size in connection.execute(_STORED, [list(of_member)]):
        stored[of_member[oid].table] += size
    suspects = {c.table: c for c in of_member.values() if stored[c.table] * _COMPRESSION > over}
    deadline = time.monotonic() + seconds
    rows: list[LargeRow] = []
    unread: list[TableName] = []
    for table in sorted(suspects, key=lambda table: -stored[table]):
        left = deadline - time.monotonic()
        try:
            rows += _of_table(connection, suspects[table], over=over, seconds=left) if left > 0 else ()
        except psycopg.errors.QueryCanceled:
            left = 0
        unread += [table] if left <= 0 else []
    return LargeRows(tuple(rows), tuple(unread))


def _of_table(connection: Connection, contract: TableContract, *, over: int, seconds: float) -> list[LargeRow]:
    query = _query(contract, over)
    with connection.transaction():
        connection.execute("SELECT set_config('statement_timeout', %s, true)", [f"{seconds * 1000:.0f}ms"])
        found = connection.execute(query, {"over": over, "limit": _NAMED}).fetchall()
    return [LargeRow(contract.table, key, size) for key, size in found]


def _query(contract: TableContract, over: int) -> sql.Composed:
    # What is stored out of line may be of a column that was dropped.
    sizes = sql.SQL(" + ").join([sql.SQL("0"), *(_size(c, over) for c in contract.columns if c.toastable)])
    named = [
        sql.SQL("{} || {}::text").format(sql.Literal(f"{column} = "), sql.Identifier(column))
        for column in contract.key or ("ctid",)
    ]
    return sql.SQL(
        "SELECT key, size FROM "
        "(SELECT left(concat_ws(' and ', {key}), {longest}) AS key, {sizes} AS size FROM {table}) AS measured "
        "WHERE size > %(over)s ORDER BY size DESC LIMIT %(limit)s"
    ).format(
        key=sql.SQL(", ").join(named),
        longest=sql.Literal(_LONGEST_KEY),
        sizes=sizes,
        table=sql.Identifier(*contract.table),
    )


def _size(column: ColumnContract, over: int) -> sql.Composed:
    """The size of a value in JSON; read is only what can't be told from how it is stored."""
    if column.type_name in _TEXTS:
        size = "octet_length({0})"
    elif column.type_name == "bytea":
        size = "octet_length({0})::bigint * 4 / 3"
    else:
        size = "CASE WHEN pg_column_size({0}) > {1} THEN octet_length({0}::text) ELSE pg_column_size({0}) END"
    least = sql.Literal(over // _COMPRESSION)
    return sql.SQL(f"coalesce(({size})::bigint, 0)").format(sql.Identifier(column.name), least)
