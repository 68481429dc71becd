"""From the source's change stream to silver, once."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

from prefect import flow
from pydantic import Field

from connectors.errors import ContractMismatch, TerminalError
from connectors.postgres.identifiers import TableName
from connectors.reports import MergeReport
from connectors.settings import Settings, load_settings
from tasks.artifacts import publish_drain, publish_freshness
from tasks.assets import bronze_asset, drained_facts, materializing, merged_facts, silver_asset, source_asset
from tasks.cdc import check_contracts, drain_source, find_pending_tables, merge_table
from tasks.cost import Meter
from tasks.events import emit_held, emit_moved
from tasks.quality import measure_freshness
from tasks.turns import turn_of

if TYPE_CHECKING:
    from connectors.evolution import ContractCheck  # takes long, and only its type is needed

Outcomes = dict[TableName, MergeReport | BaseException]


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
    with turn_of(source):
        drained = drain(settings, through_lsn=through_lsn)
        checked = check_contracts(settings)
        outcomes = merge_tables(settings, find_pending_tables(settings), checked)
    emit_held(source, {**checked.held, **held_in(outcomes)})
    emit_moved(source, outcomes)
    publish_drain(drained, outcomes, meter.read())
    if outcomes:
        publish_freshness(source, *measure_freshness(settings))
    return merged(outcomes)


def merge_tables(settings: Settings, tables: list[TableName], checked: "ContractCheck") -> Outcomes:
    """Merges each table in a task of its own; returns its report or its error."""
    outcomes: Outcomes = {}
    # One after another: a merge uses every core already, and a task's timeout can end it only in the main thread.
    for table in tables:
        silver, bronze = silver_asset(settings, table), bronze_asset(settings)
        merge = materializing(merge_table, silver, bronze, facts=partial(merged_facts, settings))
        outcomes[table] = merge(settings, table, checked=checked, return_state=True).result(raise_on_failure=False)
    return outcomes


def held_in(outcomes: Outcomes) -> dict[TableName, ContractMismatch]:
    """Why tables are held of which only the merge found that their events do not fit."""
    errors = {table: error for table, error in outcomes.items() if isinstance(error, ContractMismatch)}
    return {table: error for table, error in errors.items() if "command" in error.context}


def merged(outcomes: Outcomes) -> list[MergeReport]:
    """The reports, where every table was merged.

    Raises:
        TerminalError: A table was not; it names all of them.
    """
    errors = {table: outcome for table, outcome in outcomes.items() if isinstance(outcome, BaseException)}
    if errors:
        names = ", ".join(map(str, errors))
        raise TerminalError(
            f"{len(errors)} of {len(outcomes)} tables were not merged: {names}",
            hint="each one's task run says why; the other tables are merged, and the next run tries these again",
            tables=tuple(errors),
        ) from BaseExceptionGroup("merges failed", list(errors.values()))
    return [outcome for outcome in outcomes.values() if isinstance(outcome, MergeReport)]
