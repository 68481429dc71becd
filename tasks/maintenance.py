"""Tasks of maintenance: what the lake's tables are made of, and where others find them; not what they hold."""

from typing import TYPE_CHECKING

from connectors.cdc.reports import MaintenanceReport
from connectors.settings import Settings
from tasks.policy import preset_task

if TYPE_CHECKING:
    from connectors.lake.glue import CatalogChange
    from connectors.lake.iceberg.mirror import MirrorReport


@preset_task("find tables to maintain", "connectors.cdc.maintenance:maintained_tables")
def maintained_tables(settings: Settings, patterns: list[str]) -> list[str]:
    """Names the tables of the lake."""


@preset_task("maintain {table}", "connectors.cdc.maintenance:maintain_table")
def maintain_table(settings: Settings, table: str, *, dry_run: bool) -> MaintenanceReport:
    """Compacts, sorts and vacuums one table, where it is worth it."""


@preset_task("register tables in the Glue Catalog", "connectors.lake.glue:register_tables")
def register_tables(settings: Settings) -> "list[CatalogChange]":
    """Brings the Glue Catalog in step with the lake."""


@preset_task("mirror tables in Iceberg", "connectors.cdc.iceberg:mirror_all")
def mirror_all(settings: Settings) -> "list[MirrorReport]":
    """Brings the Iceberg tables that the settings name to the newest versions."""
