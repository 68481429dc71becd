"""First snapshots: which attempt rows come from.

A first snapshot that is interrupted begins again. All rows that one attempt reads have one LSN, whatever their tables.
"""

import json

import duckdb
import pyarrow as pa

from connectors.changes.decode import Messages
from connectors.debezium.config import AFTER_HEADER, EPOCH_HEADER
from connectors.postgres.identifiers import quote_literal

_EVENT = json.dumps({"op": "VARCHAR", "source": dict.fromkeys(("lsn", "sequence", "snapshot"), "VARCHAR")})
_ATTEMPTS = f"""
WITH received AS (
    SELECT try(decode(value)) AS body FROM {{0}}
    WHERE value IS NOT NULL AND headers['{AFTER_HEADER}'] IS NULL
        AND try_cast(trim(decode(headers['{EPOCH_HEADER}']), '"') AS BIGINT) = $epoch
), opened AS (
    SELECT from_json(if(starts_with(body, '{{{{"schema"'), json_extract(body, '$.payload')::VARCHAR, body),
                     {quote_literal(_EVENT).replace("{", "{{").replace("}", "}}")}) AS event
    FROM received WHERE json_valid(body)
), attempts AS (
    SELECT try_cast(event.source.lsn AS BIGINT) AS lsn, event.source.snapshot AS flag FROM opened
    WHERE event.op = 'r' AND starts_with(event.source.sequence, '[null')
)
"""
_NEWEST = f"{_ATTEMPTS.format('messages')} SELECT max(lsn) FROM attempts"


def newest_attempt(messages: pa.Table, *, epoch: int) -> int:
    """Returns the LSN of the newest attempt at the first snapshot of an epoch that read one of these messages.

    Zero: none of the messages is such a row.
    """
    with duckdb.connect() as connection:
        connection.register("messages", messages)
        [(lsn,)] = connection.execute(_NEWEST, {"epoch": epoch}).fetchall()
    return lsn or 0


def has_read_all(connection: duckdb.DuckDBPyConnection, messages: Messages, *, epoch: int, lsn: int) -> bool:
    """Whether an attempt at the first snapshot of an epoch came to a table's end, as far as its messages say.

    Of the very first table, a row that is the only one is marked as the first, and not as the last.
    """
    query = f"""{_ATTEMPTS.format(messages.sql)}
SELECT coalesce(bool_or(starts_with(flag, 'last')) OR (count(*) = 1 AND bool_or(flag = 'first')), FALSE)
FROM attempts WHERE lsn = $lsn"""
    [(found,)] = connection.execute(query, {"epoch": epoch, "lsn": lsn}).fetchall()
    return bool(found)
