"""Rejected messages replayed."""

from functools import partial
from typing import Annotated

from pydantic import Field

from connectors.cdc.outcomes import one_by_one, require_all, require_none_rejected, succeeded
from connectors.cdc.reports import ReplayReport
from connectors.postgres.identifiers import TableName
from connectors.settings import load_settings
from flows.outcome import ended
from flows.run_names import of_tables
from flows.served import flow
from tasks.artifacts import publish_replay
from tasks.assets import (
    bronze_asset,
    load_asset,
    load_source_asset,
    materializing,
    replay_facts,
    replayed_facts,
    silver_asset,
)
from tasks.cdc import check_contracts
from tasks.concurrency import source_lock
from tasks.lake import is_loaded, rejected_tables, replay_table
from tasks.summaries import summarise_replay


@flow(name="replay-quarantine", flow_run_name=partial(of_tables, "replay"))
def replay_quarantine(tables: Annotated[list[str], Field(min_length=1)]) -> list[ReplayReport]:
    """Replays rejected messages with the current contract and release: after an upgrade, or after a resync.

    If a message can be read now, rebuilds its table from bronze, so that the message counts in its place. Of a table of
    batch loads, reads the objects again that have rejected rows.
    The run fails if a message stays rejected.

    Args:
        tables: Tables, as `schema.table` patterns with `*` and `?`.
    """
    settings = load_settings()

    def replay(table: TableName) -> ReplayReport:
        if is_loaded(settings, table):
            asset, upstream = load_asset(settings, table), load_source_asset(settings, table)
            return materializing(replay_table, asset, upstream, facts=replay_facts)(settings, table, checked=None)
        # Right before: the replay reads as far as the contracts are known to hold.
        checked = check_contracts(settings)
        silver, bronze = silver_asset(settings, table), bronze_asset(settings)
        task = materializing(replay_table, silver, bronze, facts=partial(replayed_facts, settings))
        return task(settings, table, checked=checked)

    with source_lock(settings.cdc.source):
        outcomes = one_by_one(rejected_tables(settings, tables), replay)
    reports = succeeded(outcomes)
    publish_replay(reports)

    def result() -> list[ReplayReport]:
        replayed = require_all(outcomes, done="replayed")
        require_none_rejected(replayed)
        return replayed

    return ended(result, summarise_replay(reports))
