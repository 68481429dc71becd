"""Bronze: the change log of a source, everything as received, one commit per micro-batch.

Each commit carries the next batch number and the next position of every stream partition, so progress and rows can't
come apart. A recreated topic starts from zero: beside each position stands a number made from the topic's id.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, WriterProperties, write_deltalake

from connectors.changes.decode import Messages
from connectors.changes.key_changes import NO_HALF, HalfChange, KeyChanges
from connectors.changes.markers import NO_MARKER, Marker
from connectors.errors import PositionLost
from connectors.lake.commits import LIVELY, commit_progress, committing, with_progress
from connectors.lake.layout import LakeLayout, log_name
from connectors.lake.numbers import Numbers
from connectors.lake.storage import data_files, ensure_table, scratch_connection
from connectors.postgres.identifiers import TableName, quote_literal
from connectors.streams.protocol import MESSAGES, REREGISTER, RawBatch, StreamPartition

SCHEMA = pa.schema(
    [
        ("source_table", pa.string()),
        ("ingest_date", pa.date32()),
        ("batch", pa.int64()),
        *((f.name, f.type) for f in MESSAGES if f.name not in ("topic", "stream_time")),
        ("stream_time", pa.timestamp("us", tz="UTC")),
    ]
)

_BATCH = "v1/batch"
_MARKER = ("v1/marker_epoch", "v1/marker_lsn")
_THROUGH = ("v1/through_epoch", "v1/through_lsn")
_SNAPSHOT = ("v1/snapshot_epoch", "v1/snapshot_lsn")
_HALVES = "v1/halves"
_TORN = "v1/torn"
"""How many halves of key changes are open, and how many will stay so: as a rule none, so no other number is read."""
_POSITION_BITS = 62
_MORE = 1 << _POSITION_BITS
"""In a number of a position: higher bits of it follow in the next number."""
_REOPEN_AFTER = 50
WRITER = WriterProperties(compression="ZSTD", compression_level=1, max_row_group_size=16_384)
"""How its files are written: in groups of rows that can be skipped by their batch."""

_NO_KEY_CHANGES = KeyChanges()
_CONFIGURATION = {"delta.dataSkippingStatsColumns": "batch", **LIVELY}


@dataclass(frozen=True)
class BronzeFile:
    """A data file of one source table, and what it holds."""

    path: str
    first_batch: int
    last_batch: int
    rows: int
    size: int
    ingest_date: dt.date
    written_at: dt.datetime


class BronzeLog:
    """The change log of one source, at one version until it is reloaded or appended to.

    Attributes:
        batch: Number of the newest commit.
        marker: The newest marker that is in bronze.
        through: Everything that the source committed before this marker is in bronze.
        snapshot: Epoch and LSN of the newest attempt at a first snapshot that rows in bronze are from.
        table: The Delta table.
    """

    def __init__(self, layout: LakeLayout) -> None:
        self._layout = layout
        self._commits = 0
        self.reload()

    def reload(self) -> None:
        """Looks at the newest version."""
        self.table: DeltaTable = ensure_table(
            self._layout.bronze, SCHEMA, partition_by=("source_table", "ingest_date"), configuration=_CONFIGURATION
        )
        self._numbers = Numbers(self.table)
        self._reached: dict[str, int | None] = {}
        self.batch = self._number(_BATCH) or 0
        self.marker = self._read_marker(_MARKER)
        self.through = self._read_marker(_THROUGH)
        self.snapshot = self._read_marker(_SNAPSHOT)

    @property
    def version(self) -> int:
        """Version of the Delta table."""
        return self.table.version()

    def positions(self, partitions: Iterable[StreamPartition]) -> dict[StreamPartition, int]:
        """Returns the next position of each partition; zero for one never read.

        Raises:
            PositionLost: A topic was recreated since it was read.
        """
        return {p: self._position(p) for p in partitions}

    def has_read(self, partition: StreamPartition) -> bool:
        """Whether a partition of this topic, or of an older one of its name, was ever read."""
        return self._number(_position_name(partition)) is not None

    def has_messages_of(self, partition: StreamPartition) -> bool:
        """Whether a partition of this topic, or of an older one of its name, was read beyond its beginning."""
        return bool(self._number(_position_name(partition)))

    def append(
        self,
        raw: RawBatch,
        *,
        tables: Mapping[str, str],
        marker: Marker = NO_MARKER,
        snapshot: Marker = NO_MARKER,
        partitions: Mapping[str, int] | None = None,
        key_changes: KeyChanges = _NO_KEY_CHANGES,
    ) -> int:
        """Commits one micro-batch with its positions; returns its number.

        Args:
            raw: Messages and the positions after them.
            tables: Source table of each topic that carries one; other topics keep the topic's name.
            marker: The newest marker among the messages.
            snapshot: Epoch and LSN of the newest attempt at a first snapshot that read some of the messages.
            partitions: How many stream partitions each topic has.
            key_changes: What became of changed keys among the messages.

        Raises:
            CommitConflict: Another drain committed first: reload, and poll again from the new positions.
        """
        marker, snapshot = max(marker, self.marker), max(snapshot, self.snapshot)
        progress = {_BATCH: self.batch + 1, **dict(zip(_MARKER, marker, strict=True))}
        if snapshot > self.snapshot:
            progress |= dict(zip(_SNAPSHOT, snapshot, strict=True))
        for partition, position in raw.positions.items():
            progress |= _position_numbers(partition, position)
            progress[_identity_name(partition)] = _identity(partition)
        progress |= self._key_change_numbers(key_changes, tables)
        for topic, count in (partitions or {}).items():
            if count != self.partitions(topic):
                progress[_partitions_name(topic)] = count
        with committing(self.table):
            write_deltalake(
                self.table,
                _rows(raw.messages, batch=self.batch + 1, tables=tables),
                mode="append",
                writer_properties=WRITER,
                commit_properties=with_progress(progress),
            )
        self._reached.update(progress)
        self.batch, self.marker, self.snapshot = self.batch + 1, marker, snapshot
        self._commits += 1
        if self._commits % _REOPEN_AFTER == 0:
            # Appending gets slower with every commit on one object.
            self.reload()
        return self.batch

    def open_halves(self, partitions: Iterable[StreamPartition]) -> dict[StreamPartition, HalfChange]:
        """Returns the open halves of key changes, of those partitions that have one."""
        if not self._number(_HALVES):
            return {}
        return {p: half for p in partitions if (half := self._half(p)) != NO_HALF}

    def torn(self, table: TableName) -> Marker:
        """Returns after which commit the newest change of a table came of which half is lost; else `NO_MARKER`."""
        return self._read_marker(_torn_names(log_name(table))) if self._number(_TORN) else NO_MARKER

    def confirm(
        self, marker: Marker, *, tables: Mapping[str, str] | None = None, partitions: Iterable[StreamPartition] = ()
    ) -> None:
        """Records that everything committed before a marker is in bronze.

        Args:
            marker: The marker.
            tables: Source table of each topic that carries one.
            partitions: Those whose halves of key changes, if committed before the marker, stay halves.

        Raises:
            CommitConflict: Another drain committed first: reload, and try again.
        """
        if marker <= self.through:
            return
        stay = {p: half for p, half in self.open_halves(partitions).items() if half[:2] < marker}
        torn = KeyChanges(dict.fromkeys(stay, NO_HALF), {p.topic: Marker(*half[:2]) for p, half in stay.items()})
        progress = {_BATCH: self.batch + 1, **dict(zip(_THROUGH, marker, strict=True))}
        progress |= self._key_change_numbers(torn, tables or {})
        commit_progress(self.table, SCHEMA, progress)
        self._reached.update(progress)
        self.batch, self.through = self.batch + 1, marker

    def partitions(self, topic: str) -> int:
        """Returns how many stream partitions a topic had when it was last drained."""
        return self._number(_partitions_name(topic)) or 1

    def files(self, *, after_batch: int = 0, up_to_batch: int | None = None) -> dict[str, list[BronzeFile]]:
        """Returns the files with batches after `after_batch`, up to `up_to_batch`, by source table, oldest first."""
        found: dict[str, list[BronzeFile]] = {}
        for row in data_files(self._layout.bronze, self.table):
            table, last = row["partition.source_table"], row["max.batch"]
            if last > after_batch and (up_to_batch is None or row["min.batch"] <= up_to_batch):
                file = BronzeFile(
                    row["path"],
                    row["min.batch"],
                    last,
                    row["num_records"],
                    row["size_bytes"],
                    row["partition.ingest_date"],
                    dt.datetime.fromtimestamp(row["modification_time"] / 1000, dt.UTC),
                )
                found.setdefault(table, []).append(file)
        return {table: sorted(files, key=lambda f: f.first_batch) for table, files in found.items()}

    def trimmed(self, table: TableName) -> int:
        """Returns up to which batch messages of a table may be gone; zero: none is."""
        return self._number(_trimmed_name(table)) or 0

    def trim(self, table: TableName, *, before: dt.date, up_to_batch: int) -> None:
        """Takes out a table's messages that were received before a day, the last of them in batch `up_to_batch`.

        Positions stay; the files do, too, until they are vacuumed.

        Raises:
            CommitConflict: Another writer committed first: reload, and decide again.
        """
        # On columns of partitions alone: no file is read or written.
        predicate = f"source_table = {quote_literal(log_name(table))} AND ingest_date < CAST('{before}' AS DATE)"
        progress = {_trimmed_name(table): max(up_to_batch, self.trimmed(table))}
        with committing(self.table):
            self.table.delete(predicate, commit_properties=with_progress(progress))
        self._reached.update(progress)

    def count_events(self, *, after_batch: int) -> dict[str, int]:
        """Returns how many change events, without tombstones, each source table has after a batch."""
        counts: dict[str, int] = {}
        with scratch_connection(self._layout.root) as connection:
            for table, files in self.files(after_batch=after_batch).items():
                messages = Messages([f.path for f in files], after_batch, self.batch)
                query = f"SELECT count(*) FROM {messages.sql} WHERE value IS NOT NULL"
                counts[table] = connection.execute(query).fetchall()[0][0]
        return counts

    def _number(self, name: str) -> int | None:
        if name not in self._reached:
            self._reached[name] = self._numbers.get(name)
        return self._reached[name]

    def _half(self, partition: StreamPartition) -> HalfChange:
        return HalfChange(*(self._number(name) or 0 for name in _half_names(partition)))

    def _key_change_numbers(self, key_changes: KeyChanges, tables: Mapping[str, str]) -> dict[str, int]:
        numbers = {_HALVES: self._number(_HALVES) or 0, _TORN: (self._number(_TORN) or 0) + len(key_changes.torn)}
        for partition, half in key_changes.open.items():
            numbers[_HALVES] += (half != NO_HALF) - (self._half(partition) != NO_HALF)
            numbers |= dict(zip(_half_names(partition), half, strict=True))
        for topic, marker in key_changes.torn.items():
            names = _torn_names(tables[topic])
            # What is sent again may be older.
            numbers |= dict(zip(names, max(marker, self._read_marker(names)), strict=True))
        return numbers

    def _read_marker(self, names: tuple[str, str]) -> Marker:
        epoch, lsn = (self._number(name) or 0 for name in names)
        return Marker(epoch, lsn)

    def _position(self, partition: StreamPartition) -> int:
        identity = self._number(_identity_name(partition)) or 0
        if identity not in (0, _identity(partition)):
            raise PositionLost(
                f"topic {partition.topic!r} was recreated since it was last read",
                hint=REREGISTER,
                partition=partition,
            )
        position, part, more = 0, 0, True
        while more:
            number = self._number(_position_name(partition, part)) or 0
            position |= (number & ~_MORE) << (part * _POSITION_BITS)
            part, more = part + 1, number & _MORE != 0
        return position


def _rows(messages: pa.Table, *, batch: int, tables: Mapping[str, str]) -> pa.Table:
    topics = messages.column("topic")
    distinct = topics.unique().to_pylist()
    names = pa.array([tables.get(t, t.partition(".")[2]) for t in distinct], pa.string())
    count = len(messages)
    columns = {
        "source_table": names.take(pc.index_in(topics.combine_chunks(), pa.array(distinct, pa.string()))),
        "ingest_date": pa.repeat(pa.scalar(dt.datetime.now(dt.UTC).date(), pa.date32()), count),
        "batch": pa.repeat(pa.scalar(batch, pa.int64()), count),
        "stream_time": messages.column("stream_time").cast(SCHEMA.field("stream_time").type),
    }
    return pa.table(
        [columns.get(f.name, messages[f.name] if f.name in MESSAGES.names else None) for f in SCHEMA], SCHEMA
    )


def _position_numbers(partition: StreamPartition, position: int) -> dict[str, int]:
    """Cuts a position of any size into numbers that fit a `txn` action, the lowest bits first."""
    numbers, part = {}, 0
    while True:
        rest = position >> _POSITION_BITS
        low = position & ~(rest << _POSITION_BITS)
        numbers[_position_name(partition, part)] = low | (_MORE if rest else 0)
        if not rest:
            return numbers
        position, part = rest, part + 1


def _position_name(partition: StreamPartition, part: int = 0) -> str:
    name = f"v1/position/{partition.topic}/{partition.partition}"
    return name if part == 0 else f"{name}/{part}"


def _partitions_name(topic: str) -> str:
    return f"v1/partitions/{topic}"


def _half_names(partition: StreamPartition) -> list[str]:
    return [f"v1/half/{field}/{partition.topic}/{partition.partition}" for field in HalfChange._fields]


def _torn_names(table: str) -> tuple[str, str]:
    return f"v1/torn/epoch/{table}", f"v1/torn/lsn/{table}"


def _trimmed_name(table: TableName) -> str:
    return f"v1/trimmed/{table}"


def _identity_name(partition: StreamPartition) -> str:
    return f"v1/topic/{partition.topic}/{partition.partition}"


def _identity(partition: StreamPartition) -> int:
    """A number made of the topic's id; zero: of whatever topic comes of that name."""
    return int.from_bytes(hashlib.sha256(partition.topic_id.encode()).digest()[:6]) if partition.topic_id else 0
