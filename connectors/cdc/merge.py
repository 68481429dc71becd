"""Merges pending batches from bronze into silver, table by table, in slices of bounded size."""

import time
from collections.abc import Iterator
from typing import Any

from connectors.cdc.cadence import PendingTable
from connectors.cdc.contract_check import ContractCheck
from connectors.cdc.reports import MergeReport
from connectors.changes.columns import columns_of
from connectors.changes.decode import Messages
from connectors.changes.low_watermark import before_attempt, behind_attempt
from connectors.changes.markers import Marker
from connectors.changes.order import BEGINNING, Position
from connectors.changes.snapshots import has_read_all
from connectors.debezium.config import topic_name
from connectors.errors import CommitConflict, ConfigurationError, TerminalError
from connectors.lake.bronze import BronzeLog
from connectors.lake.contract_log import ContractVersion, registered_versions
from connectors.lake.engines.partitioned import Runner, merge_partitioned
from connectors.lake.epoch_log import SlotEpoch, registered_slot_epoch
from connectors.lake.layout import LakeLayout, log_name
from connectors.lake.silver.current import is_current_stale, write_current
from connectors.lake.silver.description import describe
from connectors.lake.silver.merge import SilverMerge, SliceReport
from connectors.lake.silver.pending import merge_pending
from connectors.lake.silver.statistics import misleading_columns
from connectors.lake.silver.table import SilverTable
from connectors.lake.storage import open_table, scratch_connection
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings

_VAIN_ATTEMPTS = 5


def pending_tables(settings: Settings) -> list[PendingTable]:
    """Returns the tables of which silver lacks batches that bronze has, or columns that the source has.

    Every captured table is in silver afterwards: one that has no rows yet can be read, too. Of a table that is captured
    no more, the last changes may still arrive.
    """
    layout = LakeLayout.of(settings)
    bronze = BronzeLog(layout)
    files = bronze.files()
    slot_epoch = registered_slot_epoch(layout)
    pending = []
    for table, version in registered_versions(layout).items():
        if not version.contract.captured and open_table(layout.silver(table)) is None:
            continue
        silver = _silver(layout, version, slot_epoch)
        unmerged = [f for f in files.get(log_name(table), ()) if f.last_batch > silver.batch]
        low_watermark = _low_watermark(version, slot_epoch, bronze, through=bronze.through)
        lags = silver.lacks_columns or silver.progress.low_watermark < low_watermark
        if not version.contract.key and not unmerged:
            lags = lags or is_current_stale(silver, limit=settings.cdc.current_rows)
        if unmerged or lags:
            waits = unmerged and not lags and not silver.awaits_resync
            since = min(f.written_at for f in unmerged) if waits else None
            newest = max((f.last_batch for f in unmerged), default=0)
            changes, keyed = sum(f.rows for f in unmerged), bool(version.contract.key)
            pending.append(PendingTable(table, changes, silver.count(), since, newest, keyed))
    return pending


def misleading_tables(settings: Settings) -> dict[TableName, list[str]]:
    """Returns the tables with files whose statistics may be wrong, and of which columns: a rebuild mends them."""
    layout = LakeLayout.of(settings)
    found = {}
    for table, version in registered_versions(layout).items():
        uri = layout.silver(table)
        silver = open_table(uri)
        if silver is not None:
            found[table] = misleading_columns(silver, uri, columns_of(version.contract))
    return {table: names for table, names in found.items() if names}


def open_silver(settings: Settings, table: TableName, *, at: str | None = None) -> SilverTable:
    """Opens the silver table of a source table, or one like it at another address.

    Raises:
        ConfigurationError: There is no such table in this source.
    """
    layout = LakeLayout.of(settings)
    return _silver(layout, _version(layout, table), registered_slot_epoch(layout), at=at)


def merge_table(
    settings: Settings,
    table: TableName,
    *,
    checked: ContractCheck,
    into: str | None = None,
    runner: Runner[Any] | None = None,
) -> MergeReport:
    """Merges into one silver table what bronze holds for it, in slices of bounded size.

    Args:
        settings: The source and the lake.
        table: The source table.
        checked: Which tables are paused, and how far the contracts are known to hold.
        into: Address of another table than the source table's own.
        runner: Where to merge all that is pending at once, in many processes; a table without a key, or one that is
            being resynced, is merged in this one all the same.

    Raises:
        CommitConflict: Commits fail again and again, and nobody else's is there.
        ContractMismatch: The table changed at the source; it is paused, the others go on.
        ConfigurationError: There is no such table in this source.
    """
    began = time.monotonic()
    if table in checked.paused:
        raise checked.paused[table]
    layout = LakeLayout.of(settings)
    version, slot_epoch = _version(layout, table), registered_slot_epoch(layout)
    silver = _silver(layout, version, slot_epoch, at=into)
    merge = SilverMerge(silver)
    changes = rejected = vain = 0
    while True:
        bronze = BronzeLog(layout)
        if silver.batch < bronze.trimmed(table):
            raise TerminalError(
                f"{silver.uri} has merged up to batch {silver.batch}; what came up to batch {bronze.trimmed(table)}"
                " was trimmed from bronze",
                hint=f"`lakehouse rebuild '{table}'` begins with the snapshot that was recorded before",
            )
        try:
            up_to_batch = min(bronze.batch, checked.up_to_batch)
            through = bronze.through if up_to_batch == bronze.batch else checked.through
            for report in _merges(settings, bronze, merge, up_to_batch=up_to_batch, through=through, runner=runner):
                changes, rejected = changes + report.changes, rejected + report.rejected
            if silver.lacks_columns:
                silver.adopt_columns()
            low_watermark = _low_watermark(version, slot_epoch, bronze, through=through)
            if silver.progress.low_watermark < low_watermark:
                _raise_low_watermark(merge, version, bronze, low_watermark)
            if into is None:
                _tell_others(settings, silver, checked)
            break
        except CommitConflict:
            # Whoever won has left less to do: what is pending comes to an end, however often that happens.
            before = silver.table.version()
            vain = vain + 1 if silver.reload().table.version() == before else 0
            if vain == _VAIN_ATTEMPTS:
                raise
    return MergeReport(table, silver.batch, changes, rejected, time.monotonic() - began, silver.table.version())


def _tell_others(settings: Settings, silver: SilverTable, checked: ContractCheck) -> None:
    """Brings in step what readers see that do not know this library."""
    if silver.contract.table in checked.comments:
        describe(silver, checked.comments[silver.contract.table])
    write_current(silver, limit=settings.cdc.current_rows)


def _merges(
    settings: Settings,
    bronze: BronzeLog,
    merge: SilverMerge,
    *,
    up_to_batch: int,
    through: Marker,
    runner: Runner[Any] | None,
) -> Iterator[SliceReport]:
    """Merges what is pending: slice by slice here, or all at once by a runner."""
    silver = merge.silver
    table = silver.contract.table
    partitions = bronze.partitions(topic_name(silver.layout.source, table))
    if runner is None or not silver.contract.key or silver.baseline.is_pending or silver.awaits_resync:
        yield from merge_pending(
            bronze,
            merge,
            partitions=partitions,
            up_to_batch=up_to_batch,
            through=through,
            rows=settings.cdc.slice_rows,
            size=settings.cdc.slice_bytes,
        )
        return
    files = bronze.files(after_batch=silver.batch, up_to_batch=up_to_batch).get(log_name(table))
    if files:
        held = bronze.through if partitions > 1 else None
        yield merge_partitioned(silver, files, up_to_batch=up_to_batch, through=held, runner=runner)


def _low_watermark(version: ContractVersion, slot_epoch: SlotEpoch, bronze: BronzeLog, *, through: Marker) -> Position:
    """Returns the position behind which all rows of a table were read, if all of that is before a marker.

    A table that was empty then has no event that says so.
    """
    baseline, epoch = version.baseline, slot_epoch.epoch
    low_watermark = baseline.position if through >= baseline.complete_at else BEGINNING
    if epoch == through.epoch and version.contract.table in slot_epoch.tables:
        low_watermark = max(low_watermark, before_attempt(epoch=epoch, lsn=_newest_attempt(bronze, epoch)))
    return low_watermark


def _newest_attempt(bronze: BronzeLog, epoch: int) -> int:
    return bronze.snapshot.lsn if bronze.snapshot.epoch == epoch else 0


def _raise_low_watermark(merge: SilverMerge, version: ContractVersion, bronze: BronzeLog, to: Position) -> None:
    """Takes away what was there before a table was read, and no event of its own takes away. All of it is merged."""
    layout, epoch = merge.silver.layout, to.epoch
    lsn = _newest_attempt(bronze, epoch)
    if lsn and to == before_attempt(epoch=epoch, lsn=lsn):
        # The newest attempt that read any row did not come to this table's end: so the table was empty in the one that
        # did, if not in this one.
        after = version.baseline.batch
        files = bronze.files(after_batch=after).get(log_name(version.contract.table), [])
        with scratch_connection(layout.root) as connection:
            messages = Messages([file.path for file in files], after, bronze.batch)
            if not has_read_all(connection, messages, epoch=epoch, lsn=lsn):
                to = behind_attempt(epoch=epoch, lsn=lsn)
    merge.raise_low_watermark(to)


def _version(layout: LakeLayout, table: TableName) -> ContractVersion:
    version = registered_versions(layout).get(table)
    if version is None:
        raise ConfigurationError(
            f"{table} is not a captured table of source {layout.source!r}", hint="see `lakehouse source status`"
        )
    return version


def _silver(
    layout: LakeLayout, version: ContractVersion, slot_epoch: SlotEpoch, *, at: str | None = None
) -> SilverTable:
    return SilverTable(
        layout,
        version.contract,
        placeholder=slot_epoch.placeholder,
        baseline=version.baseline,
        uri=at,
    )
