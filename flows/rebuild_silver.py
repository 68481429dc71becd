"""Silver tables rebuilt from bronze."""

from functools import partial
from typing import Annotated

from pydantic import Field

from connectors.cdc.reports import RebuildReport
from connectors.settings import load_settings
from flows.repair import repair_tables
from flows.run_names import of_tables
from flows.served import flow
from tasks.assets import bronze_asset
from tasks.lake import rebuild_table


@flow(name="rebuild-silver", flow_run_name=partial(of_tables, "rebuild"))
def rebuild_silver(tables: Annotated[list[str], Field(min_length=1)]) -> list[RebuildReport]:
    """Rebuilds silver tables from bronze; of the source, only the catalogue is read.

    Builds each table beside the old one, which stays readable, and switches to it in one commit.

    Args:
        tables: Tables, as `schema.table` patterns with `*` and `?`.
    """
    settings = load_settings()
    upstream = bronze_asset(settings)
    return repair_tables(settings, tables, rebuild_table, upstream=upstream, verb="rebuild", done="rebuilt")
