"""Tables snapshotted again from the source."""

from functools import partial
from typing import Annotated

from pydantic import Field

from connectors.cdc.reports import RebuildReport
from connectors.settings import load_settings
from flows.repair import repair_tables
from flows.run_names import of_tables
from flows.served import flow
from tasks.assets import source_asset
from tasks.lake import resync_table


@flow(name="resync-tables", flow_run_name=partial(of_tables, "resync"))
def resync_tables(tables: Annotated[list[str], Field(min_length=1)]) -> list[RebuildReport]:
    """Takes a new snapshot of tables from the source, with their current columns, while capture goes on.

    Resumes a table that is paused after schema drift, and repairs one that differs from its source.

    Args:
        tables: Tables, as `schema.table` patterns with `*` and `?`.
    """
    settings = load_settings()
    upstream = source_asset(settings)
    return repair_tables(settings, tables, resync_table, upstream=upstream, verb="resync", done="resynced")
