"""Maintenance of all tables of a lake: what of it each kind of table gets."""

import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from connectors.cdc.reports import MaintenanceReport
from connectors.cdc.retention import purge_silver, trim_bronze
from connectors.errors import ConfigurationError
from connectors.lake.contract_log import ContractVersion, latest_versions
from connectors.lake.iceberg.claims import read_claim
from connectors.lake.layout import LakeLayout, log_name, no_such_table, select_names
from connectors.lake.load_table import remove_stale_states
from connectors.lake.load_views import loaded_tables
from connectors.lake.maintenance.bronze_files import compact_bronze
from connectors.lake.maintenance.cleaning import clean_log, vacuum
from connectors.lake.maintenance.files import compact, sort
from connectors.lake.maintenance.steps import Step
from connectors.lake.numbers import reached
from connectors.lake.silver.progress import BATCH
from connectors.lake.silver.table import FILE_SIZE
from connectors.lake.storage import open_table
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings

_FILE_SIZE = 64 * 2**20
_ALL = ("*",)


def maintained_tables(settings: Settings, patterns: Sequence[str] = _ALL) -> list[str]:
    """Returns the names of the tables that patterns with `*` and `?` mean, in the order of their maintenance.

    Raises:
        ConfigurationError: The lake has no such table.
    """
    return select_names(_tables(settings), patterns)


def maintain_table(settings: Settings, table: str, *, dry_run: bool = True) -> MaintenanceReport:
    """Does to one table what is worth it. Killed, it is run again; drains and loads may go on meanwhile.

    Args:
        settings: The lake, and from when on what is worth it.
        table: Its name, as `maintained_tables` has it.
        dry_run: Only say what would be done.

    Raises:
        CommitConflict: Other writers won every race.
        ConfigurationError: There is no such table.
    """
    began = time.monotonic()
    known = _tables(settings)
    if table not in known:
        raise no_such_table(known, [table])
    steps = known[table](dry_run)
    return MaintenanceReport(table, tuple(steps), time.monotonic() - began)


def _tables(settings: Settings) -> dict[str, Callable[[bool], list[Step]]]:
    """Every table of the lake, by name, with what maintains it."""
    layout, versions = LakeLayout.of(settings), latest_versions(LakeLayout.of(settings))
    known: dict[str, Callable[[bool], list[Step]]] = {}
    for name, uri in layout.registers.items():
        known[name] = partial(_maintain_any, settings, uri)
    known["bronze"] = partial(_maintain_bronze, settings, versions)
    for table, version in versions.items():
        known[str(table)] = partial(_maintain_silver, settings, version)
        if not version.contract.key:
            known[f"{table}~current"] = partial(_maintain_beside, settings, layout.current, table)
        known[f"{table}~snapshot"] = partial(_maintain_beside, settings, layout.snapshot, table)
    for source, name in loaded_tables(layout.root):
        known[f"{source}.{name}"] = partial(_maintain_load, settings, layout.load(source, name))
    return known


def _maintain_bronze(settings: Settings, versions: Mapping[TableName, ContractVersion], dry_run: bool) -> list[Step]:
    layout, wanted = LakeLayout.of(settings), settings.maintenance
    if open_table(layout.bronze) is None:
        return []
    steps = []
    if wanted.bronze_days is not None:
        before = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=wanted.bronze_days)
        for table in (table for table, version in versions.items() if version.contract.captured):
            found = trim_bronze(settings, table, before=before, dry_run=dry_run)
            if found.messages:
                steps.append(Step("trim", f"{table}: received before {found.before}", found.messages, found.size))
    merged = {log_name(table): _merged_batch(layout, table) for table in versions}
    steps += compact_bronze(
        layout,
        merged=merged,
        rows=settings.cdc.slice_rows,
        size=min(_FILE_SIZE, settings.cdc.slice_bytes),
        at_least=wanted.small_files,
        dry_run=dry_run,
    )
    return [*steps, *_clean(settings, layout.bronze, dry_run)]


def _maintain_silver(settings: Settings, version: ContractVersion, dry_run: bool) -> list[Step]:
    layout, wanted, contract = LakeLayout.of(settings), settings.maintenance, version.contract
    uri = layout.silver(contract.table)
    if _is_of_iceberg(uri):
        return []
    columns = wanted.sort_by.get(str(contract.table), contract.key)
    if unknown := set(columns) - {column.name for column in contract.columns}:
        raise ConfigurationError(
            f"{contract.table} has no column {', '.join(sorted(unknown))}",
            hint="correct LAKEHOUSE_MAINTENANCE__SORT_BY",
        )
    steps = []
    if wanted.deleted_days is not None and contract.captured:
        before = dt.datetime.now(dt.UTC) - dt.timedelta(days=wanted.deleted_days)
        found = purge_silver(settings, contract.table, before=before, dry_run=dry_run)
        if found.purged:
            steps.append(Step("purge", f"deleted before {before:%Y-%m-%d}", found.purged, 0))
    steps += _some(compact(uri, target=FILE_SIZE, at_least=wanted.small_files, dry_run=dry_run))
    if columns:
        steps += _some(sort(uri, columns, target=FILE_SIZE, dry_run=dry_run))
    return [*steps, *_clean(settings, uri, dry_run)]


def _maintain_load(settings: Settings, uri: str, dry_run: bool) -> list[Step]:
    stale = remove_stale_states(uri, hours=settings.maintenance.vacuum_hours, dry_run=dry_run)
    steps = [Step("vacuum", "states that killed loads left", stale, 0)] if stale else []
    return [*steps, *_maintain_any(settings, uri, dry_run)]


def _maintain_any(settings: Settings, uri: str, dry_run: bool) -> list[Step]:
    if _is_of_iceberg(uri):
        return []
    found = compact(uri, target=_FILE_SIZE, at_least=settings.maintenance.small_files, dry_run=dry_run)
    return [*_some(found), *_clean(settings, uri, dry_run)]


def _maintain_beside(
    settings: Settings, address: Callable[[TableName], str], table: TableName, dry_run: bool
) -> list[Step]:
    return _maintain_any(settings, address(table), dry_run)


def _clean(settings: Settings, uri: str, dry_run: bool) -> list[Step]:
    wanted = settings.maintenance
    freed = vacuum(uri, hours=wanted.vacuum_hours, dry_run=dry_run)
    return _some(freed, clean_log(uri, days=wanted.log_days, dry_run=dry_run))


def _is_of_iceberg(uri: str) -> bool:
    claim = read_claim(uri)
    return claim is not None and claim.migrated


def _merged_batch(layout: LakeLayout, table: TableName) -> int:
    silver = open_table(layout.silver(table))
    return 0 if silver is None else reached(silver, BATCH) or 0


def _some(*steps: Step | None) -> list[Step]:
    return [step for step in steps if step is not None]
