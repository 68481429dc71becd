"""What the lake's tables are made of: small files, old files, old log entries."""

from functools import partial
from typing import Annotated

from pydantic import Field

from connectors.cdc.outcomes import failures, one_by_one, require_all, succeeded
from connectors.cdc.reports import MaintenanceReport
from connectors.settings import load_settings
from flows.outcome import ended
from flows.run_names import timed
from flows.served import flow
from tasks.cost import Meter
from tasks.maintenance import maintain_table, maintained_tables
from tasks.maintenance_artifacts import publish_maintenance
from tasks.summaries import summarise_maintenance


@flow(name="maintain-lake", flow_run_name=partial(timed, "maintain"))
def maintain_lake(
    tables: Annotated[list[str], Field(min_length=1)] = ["*"],  # noqa: B006 - Prefect copies it
    dry_run: bool = False,
) -> list[MaintenanceReport]:
    """Compacts, sorts and vacuums the tables of the lake, each only where it is worth it.

    Drains, loads and readers go on meanwhile. A table that fails does not stop the others.

    Args:
        tables: Tables as `public.orders`, `shop_s3.clickstream` or `bronze`, with `*` and `?`.
        dry_run: Only say what would be done.
    """
    settings, meter = load_settings(), Meter()
    names = maintained_tables(settings, tables)
    outcomes = one_by_one(names, lambda table: maintain_table(settings, table, dry_run=dry_run))
    publish_maintenance(outcomes, meter.read(), dry_run=dry_run)
    summary = summarise_maintenance(succeeded(outcomes), failed=len(failures(outcomes)))
    return ended(partial(require_all, outcomes, done="maintained"), summary)
