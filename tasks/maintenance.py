"""Tasks of maintenance: what the lake's tables are made of, not what they hold."""

from connectors.cdc.reports import MaintenanceReport
from connectors.settings import Settings
from tasks.policy import preset_task


@preset_task("find tables to maintain", "connectors.cdc.maintenance:maintained_tables")
def maintained_tables(settings: Settings, patterns: list[str]) -> list[str]:
    """Names the tables of the lake."""


@preset_task("maintain {table}", "connectors.cdc.maintenance:maintain_table")
def maintain_table(settings: Settings, table: str, *, dry_run: bool) -> MaintenanceReport:
    """Compacts, sorts and vacuums one table, where it is worth it."""
