"""Changed primary keys, which arrive in two halves: a delete of the old key, then an insert of the new one.

Debezium notes that it has sent the change with each half. Started again between the two, it never sends the second one:
the row is gone, and nothing else says so.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from connectors.changes.envelope import NEW_KEY_HEADER, OLD_KEY_HEADER, PAYLOAD, number_in, prev_commit
from connectors.changes.markers import Marker
from connectors.debezium.config import AFTER_HEADER, EPOCH_HEADER
from connectors.postgres.identifiers import quote_literal
from connectors.streams.protocol import StreamPartition

_EVENT = json.dumps({"source": {"lsn": "BIGINT", "sequence": "VARCHAR"}})


class HalfChange(NamedTuple):
    """Position of a first half that is the last change of its partition so far; compares as a tuple."""

    epoch: int
    prev_commit_lsn: int
    lsn: int


NO_HALF = HalfChange(0, 0, 0)


@dataclass(frozen=True)
class KeyChanges:
    """What became of changed keys in some messages.

    Attributes:
        open: First halves whose second one is still to come, by partition; `NO_HALF` where one was open before.
        torn: Per topic, after which commit the newest change came whose second half will not come any more.
    """

    open: Mapping[StreamPartition, HalfChange] = field(default_factory=dict)
    torn: Mapping[str, Marker] = field(default_factory=dict)


def follow_key_changes(
    connection: duckdb.DuckDBPyConnection,
    messages: pa.Table,
    partitions: Collection[StreamPartition],
    *,
    before: Mapping[StreamPartition, HalfChange],
) -> KeyChanges:
    """Follows changed keys through some messages.

    Args:
        connection: A scratch connection.
        messages: Rows of `MESSAGES`, which follow those of before.
        partitions: Those to look at. A topic of one partition has both halves side by side; of another one, either half
            may be anywhere.
        before: The halves that were open before these messages.
    """
    known = {(p.topic, p.partition): p for p in partitions}
    still_open: dict[StreamPartition, HalfChange] = {}
    torn: dict[str, Marker] = {}
    for found in _looked_at(connection, messages):
        partition = known.get((found.topic, found.partition))
        if partition is None:
            continue
        half = before.get(partition, NO_HALF) if found.is_first else found.half_before
        if half != NO_HALF and not found.closes and _is_behind(found.at, half):
            torn[partition.topic] = max(torn.get(partition.topic, Marker(0, 0)), Marker(*half[:2]))
        if found.is_last:
            still_open[partition] = found.at if found.opens and found.at is not None else NO_HALF
    changed = {p: half for p, half in still_open.items() if half != before.get(p, NO_HALF)}
    return KeyChanges(changed, torn)


def has_first_halves(messages: pa.Table) -> bool:
    """Whether a poll's messages have a first half of a changed key, which is seen at a glance."""
    chunks = messages["headers"].combine_chunks()
    chunks = chunks.chunks if isinstance(chunks, pa.ChunkedArray) else [chunks]
    return any(pc.any(pc.equal(chunk.keys, NEW_KEY_HEADER)).as_py() for chunk in chunks)


def _is_behind(at: HalfChange | None, half: HalfChange) -> bool:
    """Whether a change was sent after a half of the same epoch; else the stream began again before it, or anew."""
    return at is not None and at.epoch == half.epoch and at > half


class _Found(NamedTuple):
    """A change that may follow a first half, or is the last one of its partition.

    Attributes:
        topic: Its topic.
        partition: Number of its stream partition.
        opens: Whether it is a first half.
        closes: Whether it is a second half.
        is_first: Whether no other one of these messages is before it.
        is_last: Whether no other one is behind it.
        at: Its position; None if it can't be read.
        half_before: The first half right before it; `NO_HALF` if another change is.
    """

    topic: str
    partition: int
    opens: bool
    closes: bool
    is_first: bool
    is_last: bool
    at: HalfChange | None
    half_before: HalfChange


def _looked_at(connection: duckdb.DuckDBPyConnection, messages: pa.Table) -> Iterator[_Found]:
    connection.register("messages", messages)
    rows = connection.execute(f"""
WITH changes AS (
    SELECT *, headers['{NEW_KEY_HEADER}'] IS NOT NULL AS opens, headers['{OLD_KEY_HEADER}'] IS NOT NULL AS closes
    FROM messages
    WHERE value IS NOT NULL AND headers['{AFTER_HEADER}'] IS NULL AND {number_in(EPOCH_HEADER)} IS NOT NULL
), in_order AS (
    SELECT topic, stream_partition, stream_offset, opens, closes,
        lag(opens) OVER w AS follows_half, lag(stream_offset) OVER w AS offset_before,
        lead(stream_offset) OVER w IS NULL AS is_last
    FROM changes WINDOW w AS (PARTITION BY topic, stream_partition ORDER BY stream_offset)
), wanted AS (
    SELECT * FROM in_order WHERE offset_before IS NULL OR is_last OR (follows_half AND NOT closes)
), opened AS (
    SELECT topic, stream_partition, stream_offset, {number_in(EPOCH_HEADER)} AS epoch,
        from_json({PAYLOAD}, {quote_literal(_EVENT)}).source AS source
    FROM (SELECT *, try(decode(value)) AS body FROM messages) AS decoded
    WHERE json_valid(body) AND (topic, stream_partition, stream_offset) IN (
        SELECT (topic, stream_partition, unnest([stream_offset, offset_before])) FROM wanted
    )
), placed AS (
    SELECT topic, stream_partition, stream_offset, epoch, source.lsn AS lsn,
        coalesce({prev_commit("source.sequence")}, 0) AS prev_commit_lsn
    FROM opened WHERE epoch IS NOT NULL AND source.lsn IS NOT NULL
)
SELECT w.topic, w.stream_partition, w.opens, w.closes, w.offset_before IS NULL, w.is_last,
    own.epoch, own.prev_commit_lsn, own.lsn, half.epoch, half.prev_commit_lsn, half.lsn
FROM wanted AS w
LEFT JOIN placed AS own ON (own.topic, own.stream_partition, own.stream_offset)
    = (w.topic, w.stream_partition, w.stream_offset)
LEFT JOIN placed AS half ON w.follows_half AND (half.topic, half.stream_partition, half.stream_offset)
    = (w.topic, w.stream_partition, w.offset_before)
ORDER BY w.topic, w.stream_partition, w.stream_offset
""").fetchall()
    connection.unregister("messages")
    for topic, partition, opens, closes, is_first, is_last, *places in rows:
        at, half = (HalfChange(*place) if place[0] is not None else None for place in (places[:3], places[3:]))
        yield _Found(topic, partition, opens, closes, is_first, is_last, at, half or NO_HALF)
