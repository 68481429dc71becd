"""Silver as its readers see it: pinned, with what is pending of each table folded in.

A table is shown as it was merged if its pending changes can't be folded: it is paused, its rows are still being read,
it is about to get a column, or a merge is far behind.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from deltalake import DeltaTable

from connectors.debezium.config import topic_name
from connectors.errors import ContractMismatch
from connectors.lake.bronze import BronzeFile, BronzeLog
from connectors.lake.checked import Checked, read_checked
from connectors.lake.contract_log import ContractVersion, contract_versions, newest_version
from connectors.lake.epoch_log import registered_slot_epoch
from connectors.lake.layout import LakeLayout, log_name
from connectors.lake.numbers import reached
from connectors.lake.silver.merge_on_read import read_overlay
from connectors.lake.silver.progress import BATCH
from connectors.lake.silver.table import SilverTable
from connectors.lake.storage import open_table, scratch_connection
from connectors.lake.views import Overlay, SilverSnapshot, pin_table
from connectors.postgres.identifiers import TableName, quote_literal
from connectors.settings import CdcSettings, Settings

_log = logging.getLogger(__name__)


def pin_fresh(
    settings: Settings,
    tables: Sequence[TableName] | None = None,
    *,
    folded: Callable[[TableName], bool] = lambda _table: True,
) -> SilverSnapshot:
    """Opens silver tables once each, and folds what is pending of them.

    All tables show the same batches of bronze, except those that were merged meanwhile.

    Args:
        settings: The source and the lake.
        tables: Which tables; by default all that were ever captured; one that was never written is skipped.
        folded: Of which tables pending changes are to be folded: it takes time.
    """
    layout = LakeLayout.of(settings)
    # In this order: contracts are at least as new as the check, and silver is at least as new as bronze.
    checked = read_checked(layout)
    versions = contract_versions(layout)
    pending = None if checked is None else _Pending.open(layout, settings.cdc, checked)
    pinned = []
    for name in sorted(versions if tables is None else tables):
        uri = layout.silver(name)
        table = open_table(uri)
        if table is None:
            continue
        known = versions.get(name)
        found = pin_table(name, uri, table, known[-1].contract if known else None)
        if pending is not None and known and folded(name):
            found = replace(found, overlay=pending.overlay(newest_version(known), table))
        pinned.append(found)
    return SilverSnapshot(tuple(pinned))


def newest_pending(settings: Settings, opened: Mapping[TableName, DeltaTable]) -> dict[TableName, datetime]:
    """Returns when the newest pending change that readers see was committed, by table, without folding any.

    Args:
        settings: The source and the lake.
        opened: Silver tables, at their newest versions; others are not looked at.
    """
    layout = LakeLayout.of(settings)
    checked = read_checked(layout)
    if checked is None:
        return {}
    logged = BronzeLog(layout).files(up_to_batch=checked.up_to_batch)
    found: dict[str, TableName] = {}
    for name, table in opened.items():
        logs = [] if name in checked.paused else logged.get(log_name(name), [])
        merged = (reached(table, BATCH) or 0) if logs else 0
        found |= {file.path: name for file in logs if file.last_batch > merged}
    if not found:
        return {}
    files = ", ".join(map(quote_literal, found))
    moment = "try_cast(coalesce(body ->> '$.source.ts_ms', body ->> '$.payload.source.ts_ms') AS BIGINT)"
    query = f"""
SELECT filename, max(make_timestamptz({moment} * 1000)) FROM (
    SELECT filename, try_cast(try(decode(value)) AS JSON) AS body
    FROM read_parquet([{files}], hive_partitioning = false, filename = true)
) GROUP BY filename"""
    newest: dict[TableName, datetime] = {}
    with scratch_connection(layout.root) as connection:
        for path, at in connection.execute(query).fetchall():
            if at is not None:
                newest[found[path]] = max(at, newest.get(found[path], at))
    return newest


@dataclass(frozen=True)
class _Pending:
    """What bronze holds that silver may not have merged."""

    layout: LakeLayout
    limits: CdcSettings
    checked: Checked
    placeholder: str
    bronze: BronzeLog
    files: Mapping[str, Sequence[BronzeFile]]

    @classmethod
    def open(cls, layout: LakeLayout, limits: CdcSettings, checked: Checked) -> "_Pending":
        placeholder, bronze = registered_slot_epoch(layout).placeholder, BronzeLog(layout)
        return cls(layout, limits, checked, placeholder, bronze, bronze.files(up_to_batch=checked.up_to_batch))

    def overlay(self, version: ContractVersion, table: DeltaTable) -> Overlay | None:
        name = version.contract.table
        merged = reached(table, BATCH) or 0
        files = [f for f in self.files.get(log_name(name), ()) if f.last_batch > merged]
        if not files or name in self.checked.paused:
            return None
        if sum(f.rows for f in files) > self.limits.slice_rows or sum(f.size for f in files) > self.limits.slice_bytes:
            _log.warning("%s: too much is pending to be shown; `lakehouse drain` merges it", name)
            return None
        silver = SilverTable(
            self.layout, version.contract, placeholder=self.placeholder, baseline=version.baseline, table=table
        )
        partitions = self.bronze.partitions(topic_name(self.layout.source, name))
        try:
            return read_overlay(
                silver,
                files,
                up_to_batch=min(self.checked.up_to_batch, max(f.last_batch for f in files)),
                through=self.bronze.through if version.contract.key and partitions > 1 else None,
            )
        except ContractMismatch as error:
            _log.warning("%s; it is shown as it was merged", error.message)
            return None
