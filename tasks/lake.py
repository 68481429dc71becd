"""Tasks of repair: rebuild, resync and replay."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from connectors.cdc.reports import RebuildReport, ReplayReport
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings
from tasks.policy import preset_task

if TYPE_CHECKING:
    from connectors.cdc.contract_check import ContractCheck


@preset_task("find tables of {settings.cdc.source}", "connectors.lake.contract_log:captured_tables")
def captured_tables(settings: Settings, patterns: Sequence[str]) -> list[TableName]:
    """Names the captured tables that match patterns."""


@preset_task("rebuild {table}", "connectors.cdc.rebuild:rebuild_checked")
def rebuild_table(settings: Settings, table: TableName) -> RebuildReport:
    """Rebuilds a silver table from bronze."""


# Ended in the middle, it would begin anew, and never end for a table that takes longer.
@preset_task("resync {table}", "connectors.cdc.resync:resync_table", timeout_seconds=None)
def resync_table(settings: Settings, table: TableName) -> RebuildReport:
    """Re-snapshots a table from the source."""


@preset_task("find rejected messages of {settings.cdc.source}", "connectors.cdc.replay:rejected_tables")
def rejected_tables(settings: Settings, patterns: Sequence[str]) -> list[TableName]:
    """Names the captured tables that match patterns and have rejected messages."""


@preset_task("look whether {table} is loaded", "connectors.cdc.replay:is_loaded")
def is_loaded(settings: Settings, table: TableName) -> bool:
    """Says whether a table is one of batch loads."""


@preset_task("replay {table}", "connectors.cdc.replay:replay_table")
def replay_table(settings: Settings, table: TableName, *, checked: "ContractCheck | None") -> ReplayReport:
    """Replays the rejected messages of a table."""
