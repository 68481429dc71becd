"""Silver tables rebuilt from bronze."""

from functools import partial
from typing import Annotated

from pydantic import Field

from connectors.cdc.outcomes import failures, one_by_one, require_all, succeeded
from connectors.cdc.reports import RebuildReport
from connectors.postgres.identifiers import TableName
from connectors.settings import load_settings
from flows.outcome import ended
from flows.run_names import of_tables
from flows.served import flow
from tasks.artifacts import publish_rebuild
from tasks.assets import bronze_asset, materializing, rebuilt_facts, silver_asset
from tasks.concurrency import source_lock
from tasks.lake import captured_tables, rebuild_table
from tasks.summaries import summarise_rebuild


@flow(name="rebuild-silver", flow_run_name=partial(of_tables, "rebuild"))
def rebuild_silver(tables: Annotated[list[str], Field(min_length=1)]) -> list[RebuildReport]:
    """Rebuilds silver tables from bronze; of the source, only the catalogue is read.

    Builds each table beside the old one, which stays readable, and switches to it in one commit.

    Args:
        tables: Tables, as `schema.table` patterns with `*` and `?`.
    """
    settings = load_settings()

    def rebuild(table: TableName) -> RebuildReport:
        silver, bronze = silver_asset(settings, table), bronze_asset(settings)
        task = materializing(rebuild_table, silver, bronze, facts=partial(rebuilt_facts, settings))
        return task(settings, table)

    with source_lock(settings.cdc.source):
        outcomes = one_by_one(captured_tables(settings, tables), rebuild)
    reports = succeeded(outcomes)
    publish_rebuild("rebuild", reports)
    summary = summarise_rebuild("rebuilt", reports, failed=len(failures(outcomes)))
    return ended(partial(require_all, outcomes, done="rebuilt"), summary)
