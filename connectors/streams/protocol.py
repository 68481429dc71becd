"""What a stream of change events must be able to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import pyarrow as pa


class StreamPartition(NamedTuple):
    """One partition of one topic.

    Attributes:
        topic: Name of the topic.
        topic_id: Tells a recreated topic from the old one of that name; empty: whichever there will be.
        partition: Number of the partition.
    """

    topic: str
    topic_id: str
    partition: int


Positions = Mapping[StreamPartition, int]
"""The *next* offset to read, per stream partition."""

READ_ANEW = (
    "changes may be lost: run `lakehouse source remove --yes`, then `lakehouse source register`: "
    "all tables are read anew"
)
"""What helps where the stream no longer holds a position."""

MESSAGES = pa.schema(
    [
        ("topic", pa.string()),
        ("topic_id", pa.string()),
        ("stream_partition", pa.int32()),
        ("stream_offset", pa.int64()),
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
        """Tells the stream what is safe in the lake, for its own lag tools; nothing depends on it."""

    def close(self) -> None:
        """Releases connections."""
