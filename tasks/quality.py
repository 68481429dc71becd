"""Tasks of quality: proof that the lake equals its source."""

from connectors.postgres.connection import connect
from connectors.postgres.replication import emit_marker
from connectors.quality import reconcile
from connectors.quality.comparison import TableComparison
from connectors.settings import Settings
from tasks.policy import preset_task


@preset_task("mark {settings.cdc.source}")
def mark_source(settings: Settings) -> int:
    """Puts a marker into the source's log: whoever has drained through it has drained all committed before."""
    with connect(settings.postgres) as connection:
        return emit_marker(connection)


@preset_task("compare {settings.cdc.source}")
def compare_tables(settings: Settings, tables: list[str]) -> list[TableComparison]:
    """Compares silver tables with their source tables."""
    return reconcile.reconcile_source(settings, tables)
