"""Schema drift that no event explains: the table is compared with its source, or resynced.

The comparison is exact while the table is written to. A transaction of the source looks at one moment; a copy of silver
gets every change that this moment saw, and no other.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from connectors.cdc.contract_check import Change
from connectors.cdc.drain import drain_source
from connectors.cdc.merge import open_silver
from connectors.cdc.reports import DriftReport
from connectors.cdc.resync import resync_table
from connectors.changes.moment import SourceMoment
from connectors.changes.schema_changes import with_memory
from connectors.debezium.config import publication_name, topic_name
from connectors.errors import ContractMismatch, SourceNotReady
from connectors.lake.bronze import BronzeLog
from connectors.lake.contract_log import (
    contract_versions,
    newest_version,
    record_contracts,
)
from connectors.lake.layout import LakeLayout
from connectors.lake.silver.merge import SilverMerge
from connectors.lake.silver.pending import merge_pending
from connectors.lake.silver.replace import replace_rows
from connectors.lake.silver.table import SilverTable
from connectors.lake.storage import delete_table, folders
from connectors.lake.verdicts import Verdict, record_verdict
from connectors.lake.views import pin_table
from connectors.postgres.connection import connect
from connectors.postgres.contracts import TableContract
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import current_snapshot, emit_marker, has_more_rows
from connectors.quality.comparison import compare_table
from connectors.quality.reconcile import comparing_connection, one_snapshot, read_visible
from connectors.quality.reports import TableComparison
from connectors.settings import Settings

_NAMED = 3
_LEFT_SECONDS = 24 * 60 * 60


def resolve_drift(settings: Settings, table: TableName, change: Change) -> DriftReport:
    """Compares a table with its source after schema drift; if rows differ, resyncs the table if it is small enough.

    Otherwise the table stays paused until its definition changes once more. After a kill, run it again. If the
    definition changes meanwhile, the next drain decides.

    Args:
        settings: The source and the lake, with the size up to which tables are resynced.
        table: The source table.
        change: What a check of the contracts found.

    Raises:
        CommitConflict: Other writers kept committing first.
        PositionLost: The stream no longer holds what is to be read next.
        ServiceUnavailable: A service did not answer in time.
    """
    began = time.monotonic()
    layout = LakeLayout.of(settings)
    problem, rows = "", 0
    try:
        if change.answer == "verified":
            found = _compare(settings, table, change.contract)
            if found is None:
                return DriftReport(table, "changed again", str(change), 0, time.monotonic() - began)
            rows, problem = found.source_rows, _differing(found)
            if not problem:
                record_contracts(layout, [change.contract], change.lsn)
                return DriftReport(table, "equal", str(change), rows, time.monotonic() - began)
        obstacle = _obstacle(settings, change.contract)
        if obstacle is None:
            rows = resync_table(settings, table).rows
            return DriftReport(table, "resynced", _told(change, problem), rows, time.monotonic() - began)
    except (ContractMismatch, SourceNotReady) as error:
        obstacle = error.message
    problem = _told(problem, obstacle)
    record_verdict(layout, Verdict(change.contract, problem))
    return DriftReport(table, "paused", _told(change, problem), rows, time.monotonic() - began)


def _told(*parts: object) -> str:
    return "; ".join(filter(None, map(str, parts)))


def _differing(found: TableComparison) -> str:
    if not found.mismatches:
        return ""
    return _told(f"{found.mismatches:,} rows differ from the source", *found.keys[:_NAMED])


def _obstacle(settings: Settings, contract: TableContract) -> str | None:
    """Returns why a table is not resynced automatically; None: it is."""
    if not contract.key:
        return "a table without a primary key can't be resynced alone"
    most = settings.cdc.auto_resync_rows
    if most == 0:
        return "automatic resyncs are off (LAKEHOUSE_CDC__AUTO_RESYNC_ROWS is 0)"
    with connect(settings.postgres) as connection:
        if has_more_rows(connection, contract.table, most):
            return f"it has more than {most:,} rows (LAKEHOUSE_CDC__AUTO_RESYNC_ROWS)"
    return None


def _compare(settings: Settings, table: TableName, contract: TableContract) -> TableComparison | None:
    """Compares silver, with what is pending, with the source; None if the definition is another one by now."""
    publication = publication_name(settings.cdc.source)
    with (
        connect(settings.postgres) as source,
        connect(settings.postgres) as other,
        comparing_connection(settings.lake.root) as lake,
        one_snapshot(source),
    ):
        moment = SourceMoment.parse(current_snapshot(source))
        visible = read_visible(source, [table], publication=publication)
        if [with_memory(found, contract) for found in visible] != [contract]:
            return None
        # Written once the moment is fixed: what it saw is in bronze by then.
        drain_source(settings, through_lsn=emit_marker(other))
        try:
            with _as_it_would_be(settings, table, contract, moment) as silver:
                relation = f"({pin_table(table, silver.uri, silver.table, contract).current})"
                return compare_table(contract, source=source, lake=lake, relation=relation)
        except ContractMismatch as error:
            # Not even its columns fit: what is pending, or silver's own.
            return TableComparison(table, 0, 0, 1, (error.message.removeprefix(f"{table}: "),))


def _delete_left(trials: str) -> None:
    """Deletes the copies that killed runs have left; those of runs that go on are younger."""
    for name in folders(trials):
        began = name.partition("-")[0]
        if not began.isdecimal() or time.time() - int(began) > _LEFT_SECONDS:
            delete_table(f"{trials}/{name}")


@contextmanager
def _as_it_would_be(
    settings: Settings, table: TableName, contract: TableContract, moment: SourceMoment
) -> Iterator[SilverTable]:
    """Silver with the columns of a contract and all changes that a moment saw: a copy."""
    layout = LakeLayout.of(settings)
    bronze, silver = BronzeLog(layout), open_silver(settings, table)
    known = contract_versions(layout)[table]
    _delete_left(layout.trial(table))
    trial = SilverTable(
        layout,
        newest_version([*known, replace(known[-1], contract=contract)]).contract,
        placeholder=silver.placeholder,
        baseline=silver.baseline,
        uri=f"{layout.trial(table)}/{int(time.time())}-{uuid.uuid4().hex}",
    )
    try:
        # Else all that counts was read since silver was merged last.
        if silver.progress.low_watermark >= silver.baseline.position:
            replace_rows(trial, silver)
            trial.reload()
        partitions = bronze.partitions(topic_name(layout.source, table))
        for _ in merge_pending(
            bronze,
            SilverMerge(trial, seen_by=moment),
            partitions=partitions,
            up_to_batch=bronze.batch,
            rows=settings.cdc.slice_rows,
            size=settings.cdc.slice_bytes,
        ):
            pass
        yield trial
    finally:
        delete_table(trial.uri)
