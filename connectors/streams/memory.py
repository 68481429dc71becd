"""Change events in memory: a stream for tests and notebooks."""

import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from connectors.errors import PositionLost
from connectors.streams.protocol import MESSAGES, REREGISTER, Positions, RawBatch, StreamPartition

Message = tuple[bytes | None, bytes | None, list[tuple[str, bytes]] | None]
"""Key, value and headers."""


@dataclass
class _Partition:
    messages: list[tuple[int, Message]] = field(default_factory=list)
    expired: int = 0


class MemoryLog:
    """Topics in memory: what a broker is to `KafkaStream`. Every message is committed when it is added.

    Args:
        first_position: Position of the first message of every stream partition; other streams have large ones.
    """

    def __init__(self, *, first_position: int = 0) -> None:
        self.first_position = first_position
        self.partitions: dict[StreamPartition, _Partition] = {}

    def create(self, topic: str, *, partitions: int = 1) -> None:
        """Creates a topic, in place of one of that name."""
        topic_id = uuid.uuid4().hex
        kept = {partition: log for partition, log in self.partitions.items() if partition.topic != topic}
        self.partitions = kept | {StreamPartition(topic, topic_id, n): _Partition() for n in range(partitions)}

    def add(self, topic: str, messages: Iterable[Message], *, partition: int = 0) -> None:
        """Appends messages to a partition of a topic."""
        log = self._find(topic, partition)
        log.messages += [(time.time_ns() // 1_000_000, message) for message in messages]

    def expire(self, topic: str, count: int, *, partition: int = 0) -> None:
        """Drops the oldest messages of a partition, as a stream does when its retention is over."""
        self._find(topic, partition).expired = count

    def _find(self, topic: str, number: int) -> _Partition:
        [found] = [log for p, log in self.partitions.items() if (p.topic, p.partition) == (topic, number)]
        return found


class MemoryStream:
    """Reads all topics of one source; see `ChangeStream`.

    Args:
        log: The topics.
        source: Prefix of the topics, without the dot.
    """

    def __init__(self, log: MemoryLog, *, source: str) -> None:
        self._log = log
        self._prefix = f"{source}."
        self._positions: dict[StreamPartition, int] = {}

    def end_positions(self) -> Positions:
        """Returns where every partition ends now."""
        ours = ((p, log) for p, log in self._log.partitions.items() if p.topic.startswith(self._prefix))
        return {partition: self._log.first_position + len(log.messages) for partition, log in ours}

    def written_positions(self) -> Positions:
        """Returns where every partition ends now: nothing is written that is not committed."""
        return self.end_positions()

    def seek(self, positions: Positions) -> None:
        """Reads on from these positions.

        Raises:
            PositionLost: A position is before the earliest message that is kept, or after the end.
        """
        first, ends = self._log.first_position, self.end_positions()
        reached = {partition: max(position, first) for partition, position in positions.items()}
        for partition, position in reached.items():
            earliest = first + self._log.partitions[partition].expired
            if not earliest <= position <= ends[partition]:
                raise PositionLost(
                    f"{partition.topic}[{partition.partition}] is to be read from {position}, "
                    f"but holds {earliest} to {ends[partition]}",
                    hint=REREGISTER,
                    partition=partition,
                    position=position,
                )
        self._positions = reached

    def poll(self, until: Positions, *, max_messages: int, max_bytes: int) -> RawBatch:
        """Reads up to `until`, at the most about one micro-batch; an empty batch: `until` is reached."""
        rows: list[dict[str, Any]] = []
        before, size = dict(self._positions), 0
        for partition, end in until.items():
            while self._positions[partition] < end and len(rows) < max_messages and size < max_bytes:
                offset = self._positions[partition] - self._log.first_position
                at, (key, value, headers) = self._log.partitions[partition].messages[offset]
                rows.append(
                    {
                        "topic": partition.topic,
                        "topic_id": partition.topic_id,
                        "stream_partition": partition.partition,
                        "stream_offset": offset,
                        "stream_time": at,
                        "key": key,
                        "value": value,
                        "headers": headers,
                    }
                )
                size += len(key or b"") + len(value or b"")
                self._positions[partition] += 1
        moved = {partition: n for partition, n in self._positions.items() if n != before[partition]}
        return RawBatch(pa.Table.from_pylist(rows, schema=MESSAGES), moved)

    def acknowledge(self, positions: Positions) -> None:
        """Does nothing: there are no lag tools."""

    def admit(self, message_bytes: int) -> bool:  # noqa: ARG002 - what all streams have
        """Does nothing: no message is too large."""
        return False

    def close(self) -> None:
        """Does nothing: there are no connections."""
