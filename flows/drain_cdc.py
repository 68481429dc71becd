"""From the source's change stream to silver, once."""

from typing import TYPE_CHECKING, Annotated

from prefect import flow
from pydantic import Field

from connectors.errors import TerminalError
from connectors.postgres.identifiers import TableName
from connectors.reports import MergeReport
from connectors.settings import Settings, load_settings
from tasks.artifacts import publish_drain
from tasks.assets import bronze_asset, materializing, silver_asset, source_asset
from tasks.cdc import check_contracts, drain_source, find_pending_tables, merge_table
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
    settings = load_settings()
    source = settings.cdc.source
    drain = materializing(drain_source, bronze_asset(source), source_asset(source))
    with turn_of(source):
        drained = drain(settings, through_lsn=through_lsn)
        checked = check_contracts(settings)
        outcomes = merge_tables(settings, find_pending_tables(settings), checked)
    publish_drain(drained, outcomes)
    return merged(outcomes)


def merge_tables(settings: Settings, tables: list[TableName], checked: "ContractCheck") -> Outcomes:
    """Merges each table in a task of its own; returns its report or its error."""
    source = settings.cdc.source
    outcomes: Outcomes = {}
    # One after another: a merge uses every core already, and a task's timeout can end it only in the main thread.
    for table in tables:
        merge = materializing(merge_table, silver_asset(table), bronze_asset(source))
        outcomes[table] = merge(settings, table, checked=checked, return_state=True).result(raise_on_failure=False)
    return outcomes


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
