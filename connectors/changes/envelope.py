"""Debezium's envelope: the fields that are read from it."""

import json
from collections.abc import Sequence

OLD_KEY_HEADER = "__debezium.oldkey"


def structure(columns: Sequence[str]) -> str:
    """Returns DuckDB's `from_json` structure of an event of a table: every scalar as text, so that none is rounded."""
    row = dict.fromkeys(columns, "VARCHAR")
    source = dict.fromkeys(("lsn", "sequence", "snapshot", "ts_ms", "txId"), "VARCHAR")
    return json.dumps({"op": "VARCHAR", "before": row, "after": row, "source": source})
