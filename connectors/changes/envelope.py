"""Debezium's envelope: the fields that are read from it."""

import json
from collections.abc import Sequence

from connectors.postgres.identifiers import quote_literal

OLD_KEY_HEADER = "__debezium.oldkey"
NEW_KEY_HEADER = "__debezium.newkey"

PAYLOAD = """CASE WHEN starts_with(body, '{"schema"') THEN json_extract(body, '$.payload')::VARCHAR ELSE body END"""
"""SQL of the envelope in `body`, which may be sent with its schema around it."""


def number_in(header: str) -> str:
    """Returns the SQL of the number in a header of a message; NULL if it is none."""
    return f"""try(CAST(trim(decode(headers[{quote_literal(header)}]), '"') AS BIGINT))"""


def prev_commit(sequence: str) -> str:
    """Returns the SQL of the previous commit's LSN in Debezium's `sequence`, as text; NULL if there was none."""
    return f"""try_cast(regexp_extract({sequence}, '^\\["(\\d+)"', 1) AS BIGINT)"""


def structure(columns: Sequence[str]) -> str:
    """Returns DuckDB's `from_json` structure of an event of a table: every scalar as text, so that none is rounded."""
    row = dict.fromkeys(columns, "VARCHAR")
    source = dict.fromkeys(("lsn", "sequence", "snapshot", "ts_ms", "txId"), "VARCHAR")
    return json.dumps({"op": "VARCHAR", "before": row, "after": row, "source": source})
