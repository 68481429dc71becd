"""From the source's change stream to silver, once."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from connectors.cdc.reports import MergeReport
from connectors.cdc.sync import Outcomes, Steps, sync_source
from connectors.errors import TablePaused
from connectors.postgres.identifiers import TableName
from connectors.postgres.lsn import PATTERN, parse_lsn
from connectors.settings import Settings, load_settings
from flows.outcome import ended
from flows.run_names import timed
from flows.served import flow
from tasks.artifacts import publish_drain, publish_freshness
from tasks.assets import bronze_asset, drained_facts, materializing, merged_facts, silver_asset, source_asset
from tasks.cdc import (
    check_contracts,
    drain_source,
    exclude_unsupported,
    find_stop,
    merge_table,
    pending_tables,
    resolve_drift,
)
from tasks.concurrency import source_lock
from tasks.cost import Meter
from tasks.events import emit_moved, emit_paused, emit_stopped
from tasks.maintenance import mirror_all, register_tables
from tasks.quality import measure_freshness
from tasks.summaries import summarise_drain

if TYPE_CHECKING:
    from connectors.cdc.contract_check import ContractCheck  # takes long, and only its type is needed

Lsn = Annotated[str, Field(pattern=PATTERN, examples=["0/27830028"])]


@flow(name="drain-cdc", flow_run_name=partial(timed, "drain"))
def drain_cdc(through_lsn: Lsn | None = None, only_due: bool = False) -> list[MergeReport]:
    """Moves the row changes of the source to bronze, then to silver.

    Reads what the stream holds when the run starts, and stops. A table that can't be merged does not hold up
    the others; the run then fails and names it, and the next run resumes it.

    Args:
        through_lsn: Wait until the stream has delivered everything committed before this LSN of the source, as
            `pg_current_wal_lsn()` shows it: `0/27830028`. Empty: take what the stream holds now.
        only_due: Merge a table only if enough of it changed, or its changes have waited for
            LAKEHOUSE_CDC__MERGE_SECONDS. Readers of the lake's views see the others all the same.
    """
    settings, meter = load_settings(), Meter()
    source = settings.cdc.source
    drain = materializing(drain_source, bronze_asset(settings), source_asset(settings), facts=drained_facts)

    def merge(settings: Settings, table: TableName, *, checked: "ContractCheck") -> MergeReport:
        silver, bronze = silver_asset(settings, table), bronze_asset(settings)
        task = materializing(merge_table, silver, bronze, facts=partial(merged_facts, settings))
        return task(settings, table, checked=checked)

    steps = Steps(
        exclude=exclude_unsupported,
        drain=drain,
        check=check_contracts,
        resolve=resolve_drift,
        find_pending=pending_tables,
        merge=merge,
        find_stop=find_stop,
    )
    with source_lock(source):
        lsn = None if through_lsn is None else parse_lsn(through_lsn)
        report = sync_source(settings, through_lsn=lsn, only_due=only_due, steps=steps)
    emit_paused(source, {**report.checked.paused, **paused_in(report.outcomes)})
    emit_moved(source, report.moved())
    emit_stopped(source, report.stopped)
    publish_drain(report, meter.read())
    publish_freshness(source, *measure_freshness(settings))
    if report.outcomes and settings.catalog.glue:
        register_tables(settings)
    if report.outcomes and settings.iceberg.tables:
        mirror_all(settings)
    return ended(report.merged, summarise_drain(report))


def paused_in(outcomes: Outcomes) -> dict[TableName, TablePaused]:
    """Returns the tables that only their merge found to be paused, and why."""
    return {table: error for table, error in outcomes.items() if isinstance(error, TablePaused)}
