"""Tables read anew from the source."""

from functools import partial
from typing import Annotated

from prefect.runtime import flow_run
from pydantic import Field

from connectors.cdc.outcomes import one_by_one, require_all, succeeded
from connectors.cdc.reports import RebuildReport
from connectors.postgres.identifiers import TableName
from connectors.settings import load_settings
from flows.served import flow
from tasks.artifacts import publish_rebuild
from tasks.assets import materializing, rebuilt_facts, silver_asset, source_asset
from tasks.concurrency import source_lock
from tasks.lake import captured_tables, resync_table


def _run_name() -> str:
    return f"resync {', '.join(flow_run.parameters['tables'])}"


@flow(name="resync-tables", flow_run_name=_run_name)
def resync_tables(tables: Annotated[list[str], Field(min_length=1)]) -> list[RebuildReport]:
    """Reads tables anew from the source, with the columns they have now, while capturing goes on.

    It carries a held table through a change of its columns, and repairs one that differs from its source.

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
    publish_rebuild("resync", succeeded(outcomes))
    return require_all(outcomes, done="read")
