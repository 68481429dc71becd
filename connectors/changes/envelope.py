"""Debezium's envelope: the kinds of event, and the fields that are read from it."""

import json
from collections.abc import Sequence

EVENT_KINDS = {
    "c": "a row was inserted",
    "u": "a row was updated",
    "d": "a row was deleted",
    "r": "a row was read by a snapshot",
    "t": "the table was truncated",
}
"""What an event of a table's topic can say, by its `op`; any other is rejected."""

OLD_KEY_HEADER = "__debezium.oldkey"


def structure(columns: Sequence[str]) -> str:
    """Returns DuckDB's `from_json` structure of an event of a table: every scalar as text, so that none is rounded."""
    row = dict.fromkeys(columns, "VARCHAR")
    source = dict.fromkeys(("lsn", "sequence", "snapshot", "ts_ms"), "VARCHAR")
    return json.dumps({"op": "VARCHAR", "before": row, "after": row, "source": source})
