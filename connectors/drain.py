"""The heart: poll → bronze → next; then merge what is pending.

Bronze takes every message as it is, one commit per micro-batch, with the positions it reached. Silver is merged from
bronze alone, table by table, and its progress is the last merged batch. Whatever kills this between two commits, the
next run reads from the positions in bronze and the batches in silver: nothing is lost, nothing is applied twice.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from threading import Event

from connectors.changes.markers import NO_MARKER, Marker, newest_marker
from connectors.changes.order import BEGINNING, Position
from connectors.debezium.config import topic_name
from connectors.errors import CommitConflict, ConfigurationError, ServiceUnavailable
from connectors.evolution import ContractCheck
from connectors.failpoints import failpoint
from connectors.lake.bronze import BronzeLog
from connectors.lake.contract_log import ContractVersion, SourceLife, current_life, latest_versions
from connectors.lake.layout import LakeLayout
from connectors.lake.silver.merge import SilverTable, SliceReport, slices
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import emit_marker
from connectors.settings import Settings
from connectors.streams import ChangeStream, Positions, open_stream

_MARKER_SECONDS = 120
_MARKER_LOOK_SECONDS = 0.1
_MERGE_ATTEMPTS = 5


@dataclass(frozen=True)
class DrainReport:
    """What a drain brought into bronze.

    Attributes:
        source: Name of the source.
        messages: Messages committed by this run.
        batches: Micro-batches committed by this run.
        through_lsn: Everything the source committed before this LSN is in bronze; zero if no marker was drained yet.
        seconds: Duration.
    """

    source: str
    messages: int
    batches: int
    through_lsn: int
    seconds: float


@dataclass(frozen=True)
class MergeReport:
    """What a merge brought into one silver table.

    Attributes:
        table: The source table.
        batch: The bronze batch that silver reached.
        changes: Change events read from bronze.
        rejected: Messages that went to quarantine.
        seconds: Duration.
        version: Delta version of the silver table afterwards.
    """

    table: TableName
    batch: int
    changes: int
    rejected: int
    seconds: float
    version: int


def drain_source(settings: Settings, *, through_lsn: int | None = None) -> DrainReport:
    """Brings into bronze what the stream holds now; run again, it goes on from there.

    Args:
        settings: The source, the stream and the lake.
        through_lsn: LSN of a marker (`emit_marker`): go on until everything committed before it is in bronze.

    Raises:
        PositionLost: The stream no longer holds what is to be read next.
        ServiceUnavailable: Stream or storage did not answer, or the marker did not arrive.
    """
    began = time.monotonic()
    layout = _layout(settings)
    tables = {topic_name(layout.source, table): str(table) for table in _versions(layout)}
    epoch = _life(layout).epoch
    bronze = BronzeLog(layout)
    messages = batches = 0
    with closing(open_stream(settings)) as stream:
        if through_lsn is None and _has_several(stream.end_positions(), tables):
            # Such tables are merged as far as the newest marker only.
            with connect(settings.postgres) as connection:
                through_lsn = emit_marker(connection)
        wanted = NO_MARKER if through_lsn is None else Marker(epoch, through_lsn)
        deadline = began + _MARKER_SECONDS
        while True:
            seen = bronze.marker
            drained, committed = _drain_to(stream, bronze, stream.end_positions(), tables=tables, settings=settings)
            messages, batches = messages + drained, batches + committed
            if seen >= wanted:
                # The ends were taken after the marker had arrived: what was committed before it lies before them.
                _confirm(bronze, seen)
                break
            if drained:
                deadline = time.monotonic() + _MARKER_SECONDS
            elif time.monotonic() > deadline:
                raise ServiceUnavailable(
                    f"the marker at LSN {through_lsn} did not arrive in {_MARKER_SECONDS} s",
                    hint="is the connector running? See `lakehouse source status`",
                )
            else:
                Event().wait(_MARKER_LOOK_SECONDS)
        failpoint("before-group-commit")
        stream.acknowledge(bronze.positions(stream.end_positions()))
    return DrainReport(layout.source, messages, batches, bronze.through.lsn, time.monotonic() - began)


def pending_tables(settings: Settings) -> list[TableName]:
    """Returns the tables that have batches in bronze which silver has not merged.

    Every captured table is in silver afterwards: one that has no rows yet can be read, too.
    """
    layout = _layout(settings)
    bronze = BronzeLog(layout)
    files = bronze.files()
    life = _life(layout)
    pending = []
    for table, version in _versions(layout).items():
        silver = _silver(layout, version, life)
        newest = max((f.last_batch for f in files.get(str(table), ())), default=0)
        if silver.batch < newest or silver.progress.floor < _floor(version, life, bronze):
            pending.append(table)
    return pending


def open_silver(settings: Settings, table: TableName, *, at: str | None = None) -> SilverTable:
    """Opens the silver table of a source table, or one like it at another address.

    Raises:
        ConfigurationError: There is no such table in this source.
    """
    layout = _layout(settings)
    return _silver(layout, _version(layout, table), _life(layout), at=at)


def merge_table(
    settings: Settings, table: TableName, *, checked: ContractCheck | None = None, into: str | None = None
) -> MergeReport:
    """Merges into one silver table what bronze holds for it, in slices of bounded size.

    Args:
        settings: The source and the lake.
        table: The source table.
        checked: Which tables are held, and how far the contracts are known to hold; without it, all is merged by
            the contracts that the lake has.
        into: Address of another table than the source table's own.

    Raises:
        CommitConflict: Other merges of this table won every race.
        ContractMismatch: The table changed at the source; it is held, the others go on.
        ConfigurationError: There is no such table in this source.
    """
    began = time.monotonic()
    if checked is not None and table in checked.held:
        raise checked.held[table]
    layout = _layout(settings)
    version, life = _version(layout, table), _life(layout)
    silver = _silver(layout, version, life, at=into)
    changes = rejected = 0
    for attempt in range(1, _MERGE_ATTEMPTS + 1):
        bronze = BronzeLog(layout)
        try:
            up_to_batch = bronze.batch if checked is None else min(bronze.batch, checked.up_to_batch)
            for report in _merge_slices(bronze, silver, settings, up_to_batch=up_to_batch):
                changes, rejected = changes + report.changes, rejected + report.rejected
            floor = _floor(version, life, bronze)
            if up_to_batch == bronze.batch and silver.progress.floor < floor:
                silver.raise_floor(floor)
            break
        except CommitConflict:
            if attempt == _MERGE_ATTEMPTS:
                raise
            silver.reload()
    return MergeReport(table, silver.batch, changes, rejected, time.monotonic() - began, silver.table.version())


def _merge_slices(
    bronze: BronzeLog, silver: SilverTable, settings: Settings, *, up_to_batch: int
) -> Iterator[SliceReport]:
    contract = silver.contract
    files = bronze.files(after_batch=silver.batch, up_to_batch=up_to_batch).get(str(contract.table), [])
    if contract.key and bronze.partitions(topic_name(settings.cdc.source, contract.table)) > 1:
        # An older change may be in a newer batch, by another stream partition: all that is pending is one slice.
        if files:
            yield silver.merge(files, up_to_batch=up_to_batch, through=bronze.through)
        return
    limits = {"rows": settings.cdc.slice_rows, "size": settings.cdc.slice_bytes}
    for part, cut in slices(files, up_to_batch=up_to_batch, **limits):
        yield silver.merge(part, up_to_batch=cut)


def _floor(version: ContractVersion, life: SourceLife, bronze: BronzeLog) -> Position:
    """Returns the position behind which all rows of a table were read, if all of that is in bronze.

    A table that was empty then has no event that says so.
    """
    read = version.beginning.floor
    floor = read if bronze.through > (read.epoch, version.valid_from_lsn) else BEGINNING
    if life.epoch == bronze.through.epoch and version.contract.table in life.tables:
        floor = max(floor, BEGINNING._replace(epoch=life.epoch))
    return floor


def drained_batch(settings: Settings) -> int:
    """Returns the number of the newest batch in bronze, zero in an empty lake."""
    return BronzeLog(_layout(settings)).batch


def changes_since(settings: Settings, batch: int) -> dict[TableName, int]:
    """Returns how many change events bronze received of each table after a batch."""
    layout = _layout(settings)
    counts = BronzeLog(layout).count_events(after_batch=batch)
    return {table: counts.get(str(table), 0) for table in _versions(layout)}


def _drain_to(
    stream: ChangeStream, bronze: BronzeLog, ends: Positions, *, tables: Mapping[str, str], settings: Settings
) -> tuple[int, int]:
    """Drains up to `ends`; returns how many messages and micro-batches this run committed."""
    messages = batches = 0
    partitions = Counter(partition.topic for partition in ends)
    stream.seek(bronze.positions(ends))
    while True:
        raw = stream.poll(ends, max_messages=settings.cdc.batch_messages, max_bytes=settings.cdc.batch_bytes)
        if not raw.positions:
            return messages, batches
        failpoint("polled")
        try:
            marker = newest_marker(raw.messages, source=settings.cdc.source)
            bronze.append(raw, tables=tables, marker=marker, partitions=partitions)
        except CommitConflict:
            # Another drain committed these messages: go on behind them.
            bronze.reload()
            stream.seek(bronze.positions(ends))
            continue
        failpoint("bronze-committed")
        messages, batches = messages + len(raw.messages), batches + 1


def _confirm(bronze: BronzeLog, marker: Marker) -> None:
    while True:
        try:
            return bronze.confirm(marker)
        except CommitConflict:
            bronze.reload()


def _has_several(ends: Positions, tables: Mapping[str, str]) -> bool:
    return any(count > 1 for topic, count in Counter(p.topic for p in ends).items() if topic in tables)


def _layout(settings: Settings) -> LakeLayout:
    return LakeLayout(settings.lake.root, settings.cdc.source)


def _versions(layout: LakeLayout) -> dict[TableName, ContractVersion]:
    versions = latest_versions(layout)
    if not versions:
        raise _not_registered(layout)
    return versions


def _version(layout: LakeLayout, table: TableName) -> ContractVersion:
    version = _versions(layout).get(table)
    if version is None:
        raise ConfigurationError(
            f"{table} is not a captured table of source {layout.source!r}", hint="see `lakehouse source status`"
        )
    return version


def _silver(layout: LakeLayout, version: ContractVersion, life: SourceLife, *, at: str | None = None) -> SilverTable:
    return SilverTable(layout, version.contract, placeholder=life.placeholder, beginning=version.beginning, uri=at)


def _life(layout: LakeLayout) -> SourceLife:
    life = current_life(layout)
    if life is None:
        raise _not_registered(layout)
    return life


def _not_registered(layout: LakeLayout) -> ConfigurationError:
    return ConfigurationError(
        f"source {layout.source!r} is not registered in this lake", hint="run `lakehouse source register`"
    )
