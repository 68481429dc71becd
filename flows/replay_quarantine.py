"""Messages that could not be read, tried again."""

from functools import partial
from typing import Annotated

from prefect.runtime import flow_run
from pydantic import Field

from connectors.cdc.outcomes import one_by_one, require_all, require_none_rejected, succeeded
from connectors.cdc.reports import ReplayReport
from connectors.postgres.identifiers import TableName
from connectors.settings import load_settings
from flows.served import flow
from tasks.artifacts import publish_replay
from tasks.assets import bronze_asset, materializing, replayed_facts, silver_asset
from tasks.cdc import check_contracts
from tasks.concurrency import source_lock
from tasks.lake import rejected_tables, replay_table


def _run_name() -> str:
    return f"replay {', '.join(flow_run.parameters['tables'])}"


@flow(name="replay-quarantine", flow_run_name=_run_name)
def replay_quarantine(tables: Annotated[list[str], Field(min_length=1)]) -> list[ReplayReport]:
    """Tries rejected messages again, by the contract and the rules of now: after an upgrade, or after a resync.

    Where a message can be read now, its table is made anew from bronze, so that the message counts in its place.
    The run fails if a message stays rejected.

    Args:
        tables: Tables, as `schema.table` patterns with `*` and `?`.
    """
    settings = load_settings()

    def replay(table: TableName) -> ReplayReport:
        # Just before: how far the contracts are known to hold is how far it reads.
        checked = check_contracts(settings)
        silver, bronze = silver_asset(settings, table), bronze_asset(settings)
        task = materializing(replay_table, silver, bronze, facts=partial(replayed_facts, settings))
        return task(settings, table, checked=checked)

    with source_lock(settings.cdc.source):
        outcomes = one_by_one(rejected_tables(settings, tables), replay)
    publish_replay(succeeded(outcomes))
    reports = require_all(outcomes, done="replayed")
    require_none_rejected(reports)
    return reports
