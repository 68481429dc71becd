"""Silver tables made anew from bronze."""

from typing import Annotated

from prefect import flow
from prefect.runtime import flow_run
from pydantic import Field

from connectors.reports import RebuildReport
from connectors.settings import load_settings
from tasks.artifacts import publish_rebuild
from tasks.assets import bronze_asset, materializing, silver_asset
from tasks.lake import find_tables, rebuild_table
from tasks.turns import turn_of


def _run_name() -> str:
    return f"rebuild {', '.join(flow_run.parameters['tables'])}"


@flow(name="rebuild-silver", flow_run_name=_run_name)
def rebuild_silver(tables: Annotated[list[str], Field(min_length=1)]) -> list[RebuildReport]:
    """Makes silver tables anew from all that bronze holds of them, without the source.

    Each is made beside the old one, which stays readable, and takes its place in one commit.

    Args:
        tables: Tables, as `schema.table` patterns with `*` and `?`.
    """
    settings = load_settings()
    source = settings.cdc.source
    reports = []
    with turn_of(source):
        for table in find_tables(settings, tables):
            rebuild = materializing(rebuild_table, silver_asset(table), bronze_asset(source))
            reports.append(rebuild(settings, table))
    publish_rebuild("rebuild", reports)
    return reports
