"""From the source's change stream to silver, once."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from connectors.cdc.reports import MergeReport
from connectors.cdc.sync import Outcomes, Steps, sync_source
from connectors.errors import ContractMismatch
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings, load_settings
from flows.served import flow
from tasks.artifacts import publish_drain, publish_freshness
from tasks.assets import bronze_asset, drained_facts, materializing, merged_facts, silver_asset, source_asset
from tasks.cdc import (
    check_contracts,
    drain_source,
    exclude_unsupported,
    merge_table,
    pending_tables,
    resolve_drift,
)
from tasks.concurrency import source_lock
from tasks.cost import Meter
from tasks.events import emit_held, emit_moved
from tasks.quality import measure_freshness

if TYPE_CHECKING:
    from connectors.cdc.contract_check import ContractCheck  # takes long, and only its type is needed


def _run_name() -> str:
    return f"drain {load_settings().cdc.source}"


@flow(name="drain-cdc", flow_run_name=_run_name)
def drain_cdc(through_lsn: Annotated[int, Field(ge=0)] | None = None) -> list[MergeReport]:
    """Moves the row changes of the source to bronze, then to silver.

    Reads what the stream holds when the run starts, and stops. A table that can't be merged does not hold up
    the others; the run then fails and names it, and the next run takes it up where it stood.

    Args:
        through_lsn: Wait until the stream has delivered everything committed before this position of the source,
            a number as `pg_current_wal_lsn() - '0/0'` shows it. Empty: take what the stream holds now.
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
    )
    with source_lock(source):
        report = sync_source(settings, through_lsn=through_lsn, steps=steps)
    emit_held(source, {**report.checked.held, **held_in(report.outcomes)})
    emit_moved(source, report.outcomes)
    publish_drain(report, meter.read())
    if report.outcomes:
        publish_freshness(source, *measure_freshness(settings))
    return report.merged()


def held_in(outcomes: Outcomes) -> dict[TableName, ContractMismatch]:
    """Why tables are held of which only the merge found that their events do not fit."""
    errors = {table: error for table, error in outcomes.items() if isinstance(error, ContractMismatch)}
    return {table: error for table, error in errors.items() if "command" in error.context}
