"""Tasks of the lake's upkeep: silver tables made anew."""

from connectors import rebuild, resync
from connectors.postgres.identifiers import TableName
from connectors.rebuild import RebuildReport
from connectors.settings import Settings
from tasks.policy import preset_task


@preset_task("rebuild {table}")
def rebuild_table(settings: Settings, table: TableName) -> RebuildReport:
    """Makes a silver table anew from bronze."""
    return rebuild.rebuild_silver(settings, table)


@preset_task("resync {table}")
def resync_table(settings: Settings, table: TableName) -> RebuildReport:
    """Reads a table anew from the source."""
    return resync.resync_table(settings, table)
