"""Change events from Kafka (or anything that speaks its protocol)."""

from collections.abc import Iterable
from functools import partial
from typing import Any, Self

import pyarrow as pa
from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    OffsetSpec,
    ResourceType,
)
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from connectors.errors import PositionLost, ServiceUnavailable
from connectors.streams.protocol import MESSAGES, REREGISTER, Positions, RawBatch, StreamPartition

_REQUEST_SECONDS = 30.0
# A poll waits for as many messages as it asks for, and transaction markers never come: so none waits for long.
_POLL_SECONDS = 0.02
_LARGEST = "max.message.bytes"
_IDLE_POLLS = int(60 / _POLL_SECONDS)


# What a broker says of a topic in the first moments, of the topic's life or of its own.
_NOT_READY = (
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError._NOENT,  # "no leaders found"
)
_patiently = Retrying(
    retry=retry_if_exception(lambda error: isinstance(error, KafkaException) and error.args[0].code() in _NOT_READY),
    stop=stop_after_delay(_REQUEST_SECONDS),
    wait=wait_fixed(0.05),
    reraise=True,
)


class KafkaStream:
    """Reads all topics of one source; see `ChangeStream`.

    Args:
        bootstrap_servers: Brokers, `host:port,host:port`.
        source: Prefix of the topics, without the dot; also names the consumer group `lakehouse-<source>`.
    """

    def __init__(self, bootstrap_servers: str, *, source: str) -> None:
        self._brokers = bootstrap_servers
        self._prefix = f"{source}."
        common: dict[str, str | int | float | bool] = {"bootstrap.servers": bootstrap_servers, "log_level": 2}
        self._admin = AdminClient(common)
        self._consumer = Consumer(
            {
                **common,
                "group.id": f"lakehouse-{source}",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                # A position that does not exist is a loss to report, never one to skip.
                "auto.offset.reset": "error",
                # By default librdkafka pauses for a second once its queue is full.
                "fetch.queue.backoff.ms": 10,
                # So long the broker holds back that a partition is at its end.
                "fetch.wait.max.ms": 20,
                "queued.max.messages.kbytes": 131_072,
            }
        )
        self._positions: dict[StreamPartition, int] = {}
        self._by_address: dict[tuple[str, int], StreamPartition] = {}
        self._overread: set[StreamPartition] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def end_positions(self) -> Positions:
        """Returns the last stable offset of every partition."""
        partitions = self._partitions()
        ends = self._offsets(partitions, OffsetSpec.latest())
        # A partition added meanwhile may hold older changes than the ends of the others.
        return ends if self._partitions() == partitions else self.end_positions()

    def written_positions(self) -> Positions:
        """Returns the end of every partition, with what transactions have written that are not committed."""
        return self._offsets(self._partitions(), OffsetSpec.latest(), isolation=IsolationLevel.READ_UNCOMMITTED)

    def seek(self, positions: Positions) -> None:
        """Reads on from these positions.

        Raises:
            PositionLost: A position is before the earliest message that is kept, or after the end.
        """
        earliest = self._offsets(positions, OffsetSpec.earliest())
        ends = self._offsets(positions, OffsetSpec.latest())
        for partition, position in positions.items():
            first, end = earliest[partition], ends[partition]
            if not first <= position <= end:
                raise PositionLost(
                    f"{_where(partition)} is to be read from {position}, but holds {first} to {end}",
                    hint=f"{REREGISTER}; then raise the topic's retention",
                    partition=partition,
                    position=position,
                )
        self._positions = dict(positions)
        self._by_address = {(p.topic, p.partition): p for p in positions}
        self._overread = set()
        self._consumer.assign([TopicPartition(p.topic, p.partition, n) for p, n in positions.items()])

    def poll(self, until: Positions, *, max_messages: int, max_bytes: int) -> RawBatch:
        """Reads up to `until`, at the most about one micro-batch; an empty batch: `until` is reached."""
        open_ = {p for p, end in until.items() if self._positions[p] < end}
        self._rewind(open_ & self._overread)
        before = dict(self._positions)
        messages: list[Message] = []
        size = idle = 0
        while open_ and len(messages) < max_messages and size < max_bytes:
            left = sum(until[p] - self._positions[p] for p in open_)
            received = self._receive(min(left, max_messages - len(messages), 10_000))
            idle = 0 if received else idle + 1
            if idle > _IDLE_POLLS:
                raise ServiceUnavailable(
                    f"Kafka sent nothing for a minute, though more is in {', '.join(sorted(map(_where, open_)))}",
                    hint="look at the broker's log",
                )
            for message in received:
                if self._take(message, open_, until):
                    messages.append(message)
                    size += len(message.value() or b"") + len(message.key() or b"")
        moved = {p: n for p, n in self._positions.items() if n != before[p]}
        return RawBatch(_to_arrow(messages, self._by_address), moved)

    def acknowledge(self, positions: Positions) -> None:
        """Commits to the consumer group, so that Kafka's lag tools are right."""
        if positions:
            self._consumer.commit(
                offsets=[TopicPartition(p.topic, p.partition, n) for p, n in positions.items()], asynchronous=False
            )

    def admit(self, message_bytes: int) -> bool:
        """Raises `max.message.bytes` of the topics where it is lower; returns whether it was."""
        topics = sorted({p.topic for p in self._partitions()})
        try:
            asked = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
            found = {t.name: f.result(_REQUEST_SECONDS) for t, f in self._describe(asked).items()}
            narrow = [
                ConfigResource(
                    ResourceType.TOPIC,
                    topic,
                    incremental_configs=[
                        ConfigEntry(_LARGEST, str(message_bytes), incremental_operation=AlterConfigOpType.SET)
                    ],
                )
                for topic, config in found.items()
                if int(config[_LARGEST].value) < message_bytes
            ]
            if narrow:
                for future in self._admin.incremental_alter_configs(narrow).values():
                    future.result(_REQUEST_SECONDS)
        except (KafkaException, TimeoutError) as error:
            raise ServiceUnavailable(
                f"Kafka did not let the topics take messages of {message_bytes:,} bytes: {error}",
                hint="is the broker up, and may this user alter the topics' configuration?",
            ) from error
        return bool(narrow)

    def _describe(self, resources: list[ConfigResource]) -> dict[ConfigResource, Any]:
        return self._admin.describe_configs(resources) if resources else {}

    def close(self) -> None:
        """Leaves the broker."""
        self._consumer.close()

    def _take(self, message: Message, open_: set[StreamPartition], until: Positions) -> bool:
        """Advances the position for one message or end-of-partition event; True: the message is wanted."""
        partition = self._by_address[_address(message)]
        if partition not in open_:
            self._overread.add(partition)
            return False
        offset, end = message.offset() or 0, until[partition]
        wanted = message.error() is None and offset < end
        if wanted:
            self._positions[partition] = offset + 1
        elif offset >= end:
            # Transaction markers may fill the last offsets before the end: no message will come for them.
            self._positions[partition] = end
            self._overread.add(partition)
        if self._positions[partition] >= end:
            open_.remove(partition)
        return wanted

    def _rewind(self, partitions: set[StreamPartition]) -> None:
        for p in partitions:
            self._consumer.seek(TopicPartition(p.topic, p.partition, self._positions[p]))
        self._overread -= partitions

    def _receive(self, count: int) -> list[Message]:
        try:
            received: list[Message] = self._consumer.consume(count, timeout=_POLL_SECONDS)
        except KafkaException as error:
            raise ServiceUnavailable(f"Kafka does not answer: {error}") from error
        for message in received:
            failure = message.error()
            if failure is not None and failure.code() != KafkaError._PARTITION_EOF:
                raise _as_lakehouse_error(failure, message)
        return received

    def _silent(self, error: KafkaException | TimeoutError) -> ServiceUnavailable:
        said = (
            error.args[0].str() if isinstance(error, KafkaException) else f"nothing came within {_REQUEST_SECONDS:g} s"
        )
        return ServiceUnavailable(
            f"Kafka at {self._brokers} does not answer: {said}",
            hint="check that it runs, and LAKEHOUSE_KAFKA__BOOTSTRAP_SERVERS; `lakehouse up` starts the local one",
        )

    def _partitions(self) -> list[StreamPartition]:
        try:
            # Asked by the consumer, which then knows where to fetch from: by itself it would look after a second.
            names = [t for t in self._consumer.list_topics(timeout=_REQUEST_SECONDS).topics if self._is_ours(t)]
            described = self._admin.describe_topics(TopicCollection(names)) if names else {}
            topics = [future.result(_REQUEST_SECONDS) for future in described.values()]
        except (KafkaException, TimeoutError) as error:
            raise self._silent(error) from error
        return sorted(StreamPartition(t.name, str(t.topic_id), p.id) for t in topics for p in t.partitions)

    def _is_ours(self, topic: str) -> bool:
        return topic.startswith(self._prefix) and topic != f"{self._prefix}transaction"

    def _offsets(
        self,
        partitions: Iterable[StreamPartition],
        spec: OffsetSpec,
        *,
        isolation: IsolationLevel = IsolationLevel.READ_COMMITTED,
    ) -> dict[StreamPartition, int]:
        wanted = {TopicPartition(p.topic, p.partition): spec for p in partitions}
        if not wanted:
            return {}
        try:
            found = _patiently(partial(self._list_offsets, isolation=isolation), wanted)
        except (KafkaException, TimeoutError) as error:
            raise self._silent(error) from error
        return {p: found[p.topic, p.partition] for p in partitions}

    def _list_offsets(
        self, wanted: dict[TopicPartition, OffsetSpec], *, isolation: IsolationLevel
    ) -> dict[tuple[str, int], int]:
        futures = self._admin.list_offsets(wanted, isolation_level=isolation, request_timeout=_REQUEST_SECONDS)
        return {(tp.topic, tp.partition): f.result(_REQUEST_SECONDS).offset for tp, f in futures.items()}


def _where(partition: StreamPartition) -> str:
    return f"{partition.topic}[{partition.partition}]"


def _address(message: Message) -> tuple[str, int]:
    topic, partition = message.topic(), message.partition()
    if topic is None or partition is None:
        raise ServiceUnavailable(f"Kafka sent an event without a partition: {message.error()}")
    return topic, partition


def _as_lakehouse_error(error: KafkaError, message: Message) -> ServiceUnavailable | PositionLost:
    where = f"{message.topic()}[{message.partition()}]"
    if error.code() in (KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET):
        return PositionLost(
            f"{where} no longer holds the position to read from: {error}",
            hint=f"{REREGISTER}; then raise the topic's retention",
        )
    return ServiceUnavailable(f"Kafka reports for {where}: {error}")


def _to_arrow(messages: list[Message], by_address: dict[tuple[str, int], StreamPartition]) -> pa.Table:
    ids = [by_address[_address(m)].topic_id for m in messages]
    columns: list[Any] = [
        pa.array([m.topic() for m in messages], pa.string()),
        pa.array(ids, pa.string()),
        pa.array([m.partition() for m in messages], pa.int32()),
        pa.array([m.offset() for m in messages], pa.int64()),
        pa.array([m.timestamp()[1] for m in messages], MESSAGES.field("stream_time").type),
        pa.array([m.key() for m in messages], pa.binary()),
        pa.array([m.value() for m in messages], pa.binary()),
        pa.array([m.headers() for m in messages], MESSAGES.field("headers").type),
    ]
    return pa.table(columns, schema=MESSAGES)
