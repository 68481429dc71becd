"""First snapshots: which attempt rows come from."""

import json

import duckdb
import pyarrow as pa

from connectors.debezium.config import AFTER_HEADER, EPOCH_HEADER
from connectors.postgres.identifiers import quote_literal

_EVENT = json.dumps({"op": "VARCHAR", "source": {"lsn": "VARCHAR", "sequence": "VARCHAR"}})
_QUERY = f"""
WITH received AS (
    SELECT try(decode(value)) AS body FROM messages
    WHERE headers['{AFTER_HEADER}'] IS NULL
        AND try_cast(trim(decode(headers['{EPOCH_HEADER}']), '"') AS BIGINT) = $epoch
), opened AS (
    SELECT from_json(if(starts_with(body, '{{"schema"'), json_extract(body, '$.payload')::VARCHAR, body),
                     {quote_literal(_EVENT)}) AS event
    FROM received WHERE json_valid(body)
)
SELECT max(try_cast(event.source.lsn AS BIGINT)) FROM opened
WHERE event.op = 'r' AND starts_with(event.source.sequence, '[null')
"""


def newest_attempt(messages: pa.Table, *, epoch: int) -> int:
    """Returns the LSN of the newest attempt at the first snapshot of an epoch that read one of these messages.

    All rows that one attempt reads have one LSN, whatever their tables. Zero: none of the messages is such a row.
    """
    with duckdb.connect() as connection:
        connection.register("messages", messages)
        [(lsn,)] = connection.execute(_QUERY, {"epoch": epoch}).fetchall()
    return lsn or 0
