"""Tasks of the lake's upkeep: silver tables made anew, rejected messages tried again.

Connectors are imported by the task that runs: to deploy or to show a flow takes none of them, and they take long.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from connectors.lake.layout import LakeLayout
from connectors.postgres.identifiers import TableName
from connectors.reports import RebuildReport, ReplayReport
from connectors.settings import Settings
from tasks.policy import preset_task

if TYPE_CHECKING:
    from connectors.evolution import ContractCheck


@preset_task("find tables of {settings.cdc.source}")
def find_tables(settings: Settings, patterns: Sequence[str]) -> list[TableName]:
    """Names the captured tables that patterns mean."""
    from connectors.lake.contract_log import captured_tables  # noqa: PLC0415 - start-up time

    return captured_tables(LakeLayout(settings.lake.root, settings.cdc.source), patterns)


@preset_task("rebuild {table}")
def rebuild_table(settings: Settings, table: TableName) -> RebuildReport:
    """Makes a silver table anew from bronze."""
    from connectors import rebuild  # noqa: PLC0415 - start-up time

    return rebuild.rebuild_checked(settings, table)


@preset_task("resync {table}")
def resync_table(settings: Settings, table: TableName) -> RebuildReport:
    """Reads a table anew from the source."""
    from connectors import resync  # noqa: PLC0415 - start-up time

    return resync.resync_table(settings, table)


@preset_task("find rejected messages of {settings.cdc.source}")
def find_rejected_tables(settings: Settings, patterns: Sequence[str]) -> list[TableName]:
    """Names the captured tables that patterns mean and that have rejected messages."""
    from connectors import quarantine  # noqa: PLC0415 - start-up time

    return quarantine.rejected_tables(settings, patterns)


@preset_task("replay {table}")
def replay_table(settings: Settings, table: TableName, *, checked: "ContractCheck") -> ReplayReport:
    """Tries the rejected messages of a table again."""
    from connectors import quarantine  # noqa: PLC0415 - start-up time

    return quarantine.replay_table(settings, table, checked=checked)
