"""Tasks of quality: proof that the lake equals its source.

Connectors are imported by the task that runs: to deploy or to show a flow takes none of them, and they take long.
"""

from connectors.reports import SourceLag, TableComparison, TableState
from connectors.settings import Settings
from tasks.policy import preset_task


@preset_task("mark {settings.cdc.source}")
def mark_source(settings: Settings) -> int:
    """Puts a marker into the source's log: whoever has drained through it has drained all committed before."""
    from connectors.postgres.connection import connect  # noqa: PLC0415 - start-up time
    from connectors.postgres.replication import emit_marker  # noqa: PLC0415 - start-up time

    with connect(settings.postgres) as connection:
        return emit_marker(connection)


@preset_task("compare {settings.cdc.source}")
def compare_tables(settings: Settings, tables: list[str]) -> list[TableComparison]:
    """Compares silver tables with their source tables."""
    from connectors.quality import reconcile  # noqa: PLC0415 - start-up time

    return reconcile.reconcile_source(settings, tables)


@preset_task("measure {settings.cdc.source}")
def measure_freshness(settings: Settings) -> tuple[list[TableState], SourceLag]:
    """Finds out of what time the tables are, and how far capturing is behind."""
    from connectors.quality import freshness  # noqa: PLC0415 - start-up time

    return freshness.read_states(settings), freshness.read_lag(settings)
