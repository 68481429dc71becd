"""Silver tables made anew from bronze."""

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
from tasks.assets import bronze_asset, materializing, rebuilt_facts, silver_asset
from tasks.concurrency import source_lock
from tasks.lake import captured_tables, rebuild_table


def _run_name() -> str:
    return f"rebuild {', '.join(flow_run.parameters['tables'])}"


@flow(name="rebuild-silver", flow_run_name=_run_name)
def rebuild_silver(tables: Annotated[list[str], Field(min_length=1)]) -> list[RebuildReport]:
    """Makes silver tables anew from all that bronze holds of them; of the source, only the catalogue is read.

    Each is made beside the old one, which stays readable, and takes its place in one commit.

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
    publish_rebuild("rebuild", succeeded(outcomes))
    return require_all(outcomes, done="rebuilt")
