"""The protocol of change streams."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import pyarrow as pa


class StreamPartition(NamedTuple):
    """One partition of one topic.

    Attributes:
        topic: Name of the topic.
        topic_id: Distinguishes a recreated topic from the old one of that name; empty: any topic of that name.
        partition: Number of the partition; numbers start from zero, and none is used twice.
    """

    topic: str
    topic_id: str
    partition: int


Positions = Mapping[StreamPartition, int]
"""The *next* position to read, per stream partition.

Opaque: an integer of any size that only its stream understands, Kafka's offset or a sequence number of 56 digits.
Others may rely on two rules alone. Zero is before the first message, and a later position is a greater number.
"""

REREGISTER = (
    "changes may be lost: run `lakehouse source remove --yes`, then `lakehouse source register`: "
    "it snapshots all tables"
)
"""What helps where the stream no longer holds a position."""

MESSAGES = pa.schema(
    [
        ("topic", pa.string()),
        ("topic_id", pa.string()),
        ("stream_partition", pa.int32()),
        ("stream_offset", pa.int64()),  # counts the messages of a partition, maybe with gaps; no position
        ("stream_time", pa.timestamp("ms", tz="UTC")),
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("headers", pa.map_(pa.string(), pa.binary())),
    ]
)
"""Columns of a poll's messages: everything as received."""


@dataclass(frozen=True)
class RawBatch:
    """What one poll gave.

    Attributes:
        messages: Rows of `MESSAGES`, in stream order within each stream partition.
        positions: The next position of every stream partition that moved. Positions move without messages too:
            transaction markers take offsets.
    """

    messages: pa.Table
    positions: Positions


def partition_counts(partitions: Iterable[StreamPartition]) -> dict[str, int]:
    """Returns how many partitions each topic has had so far, closed ones too."""
    counts: dict[str, int] = {}
    for partition in partitions:
        counts[partition.topic] = max(counts.get(partition.topic, 0), partition.partition + 1)
    return counts


class ChangeStream(Protocol):
    """A stream that is read in bounded polls from positions that the lake keeps."""

    def end_positions(self) -> Positions:
        """Returns where every partition ends now, for a reader of committed messages; finds new partitions."""

    def written_positions(self) -> Positions:
        """Returns where every partition ends now, with messages of transactions that have not ended."""

    def seek(self, positions: Positions) -> None:
        """Reads on from these positions.

        Raises:
            PositionLost: The stream no longer holds one of them.
        """

    def poll(self, until: Positions, *, max_messages: int, max_bytes: int) -> RawBatch:
        """Reads up to `until`, at the most about one micro-batch; an empty batch: `until` is reached."""

    def acknowledge(self, positions: Positions) -> None:
        """Reports what is safe in the lake to the stream's own lag tools; nothing depends on it."""

    def admit(self, message_bytes: int) -> bool:
        """Lets all topics take messages of this size; returns whether one of them did not."""

    def close(self) -> None:
        """Releases connections."""
