"""Tables snapshotted again from the source."""

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
from tasks.assets import materializing, rebuilt_facts, silver_asset, source_asset
from tasks.concurrency import source_lock
from tasks.lake import captured_tables, resync_table
from tasks.summaries import summarise_rebuild


@flow(name="resync-tables", flow_run_name=partial(of_tables, "resync"))
def resync_tables(tables: Annotated[list[str], Field(min_length=1)]) -> list[RebuildReport]:
    """Takes a new snapshot of tables from the source, with their current columns, while capture goes on.

    Resumes a table that is paused after schema drift, and repairs one that differs from its source.

    Args:
        tables: Tables, as `schema.table` patterns with `*` and `?`.
    """
    settings = load_settings()

    def resync(table: TableName) -> RebuildReport:
        silver, source = silver_asset(settings, table), source_asset(settings)
        task = materializing(resync_table, silver, source, facts=partial(rebuilt_facts, settings))
        return task(settings, table)

    with source_lock(settings.cdc.source):
        outcomes = one_by_one(captured_tables(settings, tables), resync)
    reports = succeeded(outcomes)
    publish_rebuild("resync", reports)
    summary = summarise_rebuild("resynced", reports, failed=len(failures(outcomes)))
    return ended(partial(require_all, outcomes, done="resynced"), summary)
