"""First snapshots: which attempt rows come from.

A first snapshot that is interrupted begins again. All rows that one attempt reads have one LSN, whatever their tables.
"""

import json

import duckdb
import pyarrow as pa

from connectors.changes.decode import Messages
from connectors.changes.envelope import PAYLOAD, number_in
from connectors.debezium.config import AFTER_HEADER, EPOCH_HEADER
from connectors.postgres.identifiers import quote_literal

_EVENT = json.dumps({"op": "VARCHAR", "source": dict.fromkeys(("lsn", "sequence", "snapshot"), "VARCHAR")})


def newest_attempt(connection: duckdb.DuckDBPyConnection, messages: pa.Table, *, epoch: int) -> int:
    """Returns the LSN of the newest attempt at the first snapshot of an epoch that read one of these messages.

    Zero: none of the messages is such a row.
    """
    connection.register("messages", messages)
    [(lsn,)] = connection.execute(f"{_attempts('messages', epoch)} SELECT max(lsn) FROM attempts").fetchall()
    return lsn or 0


def has_read_all(connection: duckdb.DuckDBPyConnection, messages: Messages, *, epoch: int, lsn: int) -> bool:
    """Whether an attempt at the first snapshot of an epoch came to a table's end, as far as its messages say.

    Of the very first table, a row that is the only one is marked as the first, and not as the last.
    """
    query = f"""{_attempts(messages.sql, epoch)}
SELECT coalesce(bool_or(starts_with(flag, 'last')) OR (count(*) = 1 AND bool_or(flag = 'first')), FALSE)
FROM attempts WHERE lsn = $lsn"""
    [(found,)] = connection.execute(query, {"lsn": lsn}).fetchall()
    return bool(found)


def _attempts(messages: str, epoch: int) -> str:
    """The relation `attempts` of the rows that attempts at the first snapshot of an epoch have read."""
    return f"""
WITH received AS (
    SELECT try(decode(value)) AS body FROM {messages}
    WHERE value IS NOT NULL AND headers['{AFTER_HEADER}'] IS NULL AND {number_in(EPOCH_HEADER)} = {epoch}
), opened AS (
    -- Most messages are no such rows, which is faster to see than to read.
    SELECT from_json({PAYLOAD}, {quote_literal(_EVENT)}) AS event FROM received
    WHERE regexp_matches(body, '"op": ?"r"') AND json_valid(body)
), attempts AS (
    SELECT try_cast(event.source.lsn AS BIGINT) AS lsn, event.source.snapshot AS flag FROM opened
    WHERE event.op = 'r' AND starts_with(event.source.sequence, '[null')
)"""
