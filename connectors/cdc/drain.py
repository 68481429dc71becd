"""Drains the stream into bronze: poll, commit, repeat.

Bronze takes every message as it is, one commit per micro-batch, with the positions it reached. Whatever kills this
between two commits, the next run reads on from the positions in bronze: nothing is lost, nothing is there twice.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from threading import Event

from connectors.cdc.capture import Watch
from connectors.cdc.reports import DrainReport
from connectors.changes.key_changes import KeyChanges, follow_key_changes, has_first_halves
from connectors.changes.markers import NO_MARKER, Marker, newest_marker
from connectors.changes.snapshots import newest_attempt
from connectors.debezium.config import marker_topic, topic_name
from connectors.errors import CaptureStopped, CommitConflict, PositionLost, ServiceUnavailable
from connectors.failpoints import failpoint
from connectors.lake.bronze import BronzeLog
from connectors.lake.contract_log import registered_versions
from connectors.lake.epoch_log import registered_slot_epoch
from connectors.lake.layout import LakeLayout, log_name
from connectors.lake.storage import scratch_connection
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName
from connectors.postgres.lsn import format_lsn
from connectors.postgres.replication import emit_marker
from connectors.settings import Settings
from connectors.streams import ChangeStream, Positions, RawBatch, StreamPartition, open_stream
from connectors.streams.protocol import REREGISTER, partition_counts

_MARKER_SECONDS = 120
_MARKER_LOOK_SECONDS = 0.1


def drain_source(settings: Settings, *, through_lsn: int | None = None) -> DrainReport:
    """Brings into bronze what the stream holds now; run again, it goes on from there.

    Args:
        settings: The source, the stream and the lake.
        through_lsn: LSN of a marker (`emit_marker`): go on until everything committed before it is in bronze.

    Raises:
        CaptureStopped: The marker will not arrive, and why. What the stream holds is in bronze.
        PositionLost: The stream no longer holds what is to be read next.
        ServiceUnavailable: Stream or storage did not answer, or the marker did not arrive although capture runs.
    """
    began = time.monotonic()
    layout = LakeLayout.of(settings)
    versions = registered_versions(layout)
    tables = {topic_name(layout.source, table): log_name(table) for table in versions}
    captured = [topic_name(layout.source, table) for table, version in versions.items() if version.contract.captured]
    epoch = registered_slot_epoch(layout).epoch
    bronze = BronzeLog(layout)
    with closing(open_stream(settings)) as stream:
        # Tables of several partitions are merged as far as the newest marker only.
        own = through_lsn is None and _has_several(stream.end_positions(), tables)
        if own:
            through_lsn = mark_source(settings)
        wanted = NO_MARKER if through_lsn is None else Marker(epoch, through_lsn)
        try:
            messages, batches = _drain_through(
                stream, bronze, wanted, epoch=epoch, tables=tables, captured=captured, settings=settings
            )
        except CaptureStopped:
            if not own:
                raise
            messages, batches = _drain_through(
                stream, bronze, NO_MARKER, epoch=epoch, tables=tables, captured=captured, settings=settings
            )
        failpoint("before-group-commit")
        stream.acknowledge(bronze.positions(stream.end_positions()))
    if through_lsn is None and bronze.through.epoch < epoch:
        # Behind a first snapshot, only a marker tells what it did not see: the next drain meets this one.
        mark_source(settings)
    return DrainReport(layout.source, messages, batches, bronze.through.lsn, time.monotonic() - began, bronze.version)


def mark_source(settings: Settings) -> int:
    """Writes a marker to the source's log; a drain through it has drained everything committed before."""
    with connect(settings.postgres) as connection:
        return emit_marker(connection)


def drained_batch(settings: Settings) -> int:
    """Returns the number of the newest batch in bronze, zero in an empty lake."""
    return BronzeLog(LakeLayout.of(settings)).batch


def changes_since(settings: Settings, batch: int) -> dict[TableName, int]:
    """Returns how many change events bronze received of each table after a batch."""
    layout = LakeLayout.of(settings)
    counts = BronzeLog(layout).count_events(after_batch=batch)
    return {table: counts.get(log_name(table), 0) for table in registered_versions(layout)}


def moved_since(settings: Settings, batch: int) -> set[TableName]:
    """Drains what is committed by now; returns the tables of which change events came after a batch."""
    drain_source(settings, through_lsn=mark_source(settings))
    return {table for table, count in changes_since(settings, batch).items() if count}


def _drain_through(
    stream: ChangeStream,
    bronze: BronzeLog,
    wanted: Marker,
    *,
    epoch: int,
    tables: Mapping[str, str],
    captured: Sequence[str],
    settings: Settings,
) -> tuple[int, int]:
    """Drains what the stream holds, and goes on until all that was committed before a marker is in bronze."""
    messages = batches = 0
    arrived, written = NO_MARKER, None
    patience = _Patience(settings, wanted)
    while True:
        if written is None and bronze.marker >= wanted:
            # A transaction shows its messages partition by partition: the marker can be there before the changes. So
            # all that is written by now, which is all that was committed before the marker, must show first.
            arrived, written = bronze.marker, stream.written_positions()
        ends = stream.end_positions()
        _require_topics(bronze, ends, [*captured, marker_topic(settings.cdc.source)])
        drained, committed = _drain_to(stream, bronze, ends, epoch=epoch, tables=tables, settings=settings)
        messages, batches = messages + drained, batches + committed
        if written is not None and all(ends.get(partition, 0) >= n for partition, n in written.items()):
            _confirm(bronze, arrived, tables=tables, partitions=_followed(ends, tables))
            return messages, batches
        if wanted == NO_MARKER:
            return messages, batches
        if drained:
            patience.renew()
        patience.look()
        if not drained:
            patience.wait("did not arrive" if written is None else "arrived, but a transaction before it did not end")


def _require_topics(bronze: BronzeLog, ends: Positions, topics: Iterable[str]) -> None:
    """Does nothing if every topic that was read is still there: one that is gone took what no drain had read of it."""
    there = {partition.topic for partition in ends}
    for topic in sorted(set(topics) - there):
        first = StreamPartition(topic, "", 0)
        if bronze.has_messages_of(first):
            raise PositionLost(
                f"the topic {topic!r} was deleted: what no drain had read of it is lost",
                hint=f"if its table was dropped, `lakehouse source register` ends its capture; else {REREGISTER}",
                partition=first,
            )


class _Patience:
    """Waits for a marker as long as something moves; looks at the connector meanwhile."""

    def __init__(self, settings: Settings, wanted: Marker) -> None:
        self._settings = settings
        self._wanted = wanted
        self._watch = Watch(settings)
        self.renew()

    def renew(self) -> None:
        """Something moved."""
        self._deadline = time.monotonic() + _MARKER_SECONDS

    def look(self) -> None:
        """Looks at the connector, if it is time to.

        Raises:
            CaptureStopped: The marker will not arrive.
        """
        before = self._watch.seen.progress
        if self._watch.look():
            found = self._watch.seen
            if found.stopped is not None:
                raise found.stopped
            if found.confirmed_lsn >= self._wanted.lsn:
                # Its reader began again behind the marker, as after a first snapshot that was interrupted.
                mark_source(self._settings)
            elif found.progress != before:
                self.renew()

    def wait(self, what: str) -> None:
        """Waits a moment; `what` the marker did instead of arriving.

        Raises:
            ServiceUnavailable: Nothing moved for too long.
        """
        if time.monotonic() > self._deadline:
            message = f"the marker at LSN {format_lsn(self._wanted.lsn)} {what} in {_MARKER_SECONDS} s"
            raise ServiceUnavailable(
                self._watch.adding(message), hint="`lakehouse source status` and the log of Kafka Connect say more"
            )
        Event().wait(_MARKER_LOOK_SECONDS)


def _drain_to(
    stream: ChangeStream,
    bronze: BronzeLog,
    ends: Positions,
    *,
    epoch: int,
    tables: Mapping[str, str],
    settings: Settings,
) -> tuple[int, int]:
    """Drains up to `ends`; returns how many messages and micro-batches this run committed."""
    messages = batches = 0
    partitions, followed = partition_counts(ends), _followed(ends, tables)
    stream.seek(bronze.positions(ends))
    while True:
        raw = stream.poll(ends, max_messages=settings.cdc.batch_messages, max_bytes=settings.cdc.batch_bytes)
        if not raw.positions:
            return messages, batches
        failpoint("polled")
        try:
            marker = newest_marker(raw.messages, source=settings.cdc.source)
            # The first marker of an epoch comes behind its first snapshot.
            snapshot = _attempt_in(raw, settings, epoch=epoch) if bronze.through.epoch < epoch else NO_MARKER
            bronze.append(
                raw,
                tables=tables,
                marker=marker,
                snapshot=snapshot,
                partitions=partitions,
                key_changes=_key_changes_in(raw, bronze, settings, followed),
            )
        except CommitConflict as conflict:
            # Another drain committed these messages: go on behind them.
            _look_again(bronze, conflict)
            stream.seek(bronze.positions(ends))
            continue
        failpoint("bronze-committed")
        messages, batches = messages + len(raw.messages), batches + 1


def _attempt_in(raw: RawBatch, settings: Settings, *, epoch: int) -> Marker:
    """The newest attempt at the first snapshot that read a row of a micro-batch."""
    with scratch_connection(settings.lake.root) as connection:
        return Marker(epoch, newest_attempt(connection, raw.messages, epoch=epoch))


def _followed(ends: Positions, tables: Mapping[str, str]) -> list[StreamPartition]:
    """The partitions of tables in which both halves of a key change are side by side: the only ones of their topics."""
    counts = partition_counts(ends)
    return [partition for partition in ends if partition.topic in tables and counts[partition.topic] == 1]


def _key_changes_in(
    raw: RawBatch, bronze: BronzeLog, settings: Settings, followed: Collection[StreamPartition]
) -> KeyChanges:
    """What became of changed keys in a micro-batch."""
    before = bronze.open_halves(followed)
    if not before and not has_first_halves(raw.messages):
        return KeyChanges()
    with scratch_connection(settings.lake.root) as connection:
        return follow_key_changes(connection, raw.messages, followed, before=before)


def _confirm(
    bronze: BronzeLog, marker: Marker, *, tables: Mapping[str, str], partitions: Collection[StreamPartition]
) -> None:
    while True:
        try:
            return bronze.confirm(marker, tables=tables, partitions=partitions)
        except CommitConflict as conflict:
            _look_again(bronze, conflict)


def _look_again(bronze: BronzeLog, conflict: CommitConflict) -> None:
    """Goes on behind the commit that won; if there is none, raises the conflict: it would never end."""
    batch = bronze.batch
    bronze.reload()
    if bronze.batch == batch:
        raise conflict


def _has_several(ends: Positions, tables: Mapping[str, str]) -> bool:
    return any(count > 1 for topic, count in partition_counts(ends).items() if topic in tables)
