"""Markers: messages that a drain writes to the source's log and finds again in the stream."""

import json
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from connectors.debezium.config import EPOCH_HEADER, marker_topic
from connectors.postgres.replication import MARKER_PREFIX


class Marker(NamedTuple):
    """Position of a marker; compares as a tuple. What was committed before it precedes it in the stream."""

    epoch: int
    lsn: int


NO_MARKER = Marker(0, 0)


def newest_marker(messages: pa.Table, *, source: str) -> Marker:
    """Returns the newest marker among a poll's messages."""
    found = messages.filter(pc.equal(messages["topic"], marker_topic(source)))
    newest = NO_MARKER
    for value, headers in zip(found["value"].to_pylist(), found["headers"].to_pylist(), strict=True):
        try:
            event = json.loads(value or b"{}")
            event = event.get("payload", event)
            if event["message"]["prefix"] == MARKER_PREFIX:
                newest = max(newest, Marker(int(dict(headers)[EPOCH_HEADER]), int(event["source"]["lsn"])))
        except (ValueError, KeyError, TypeError, AttributeError):
            # Somebody else's message: it is in bronze, and marks nothing.
            continue
    return newest
