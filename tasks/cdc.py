"""Tasks of change data capture: stream to bronze, bronze to silver.

Connectors are imported by the task that runs: to deploy or to show a flow takes none of them, and they take long.
"""

from typing import TYPE_CHECKING

from connectors.postgres.identifiers import TableName
from connectors.reports import DrainReport, MergeReport, Settlement
from connectors.settings import Settings
from tasks.policy import preset_task

if TYPE_CHECKING:
    from connectors.evolution import Change, ContractCheck


@preset_task("drain {settings.cdc.source}")
def drain_source(settings: Settings, *, through_lsn: int | None = None) -> DrainReport:
    """Moves what the stream holds of a source to bronze."""
    from connectors import drain  # noqa: PLC0415 - start-up time

    return drain.drain_source(settings, through_lsn=through_lsn)


@preset_task("leave out what stops {settings.cdc.source}")
def leave_out_stopping(settings: Settings) -> list[TableName]:
    """Takes tables out of the capture that would stop it."""
    from connectors import leave_out  # noqa: PLC0415 - start-up time

    return leave_out.leave_out_stopping(settings)


@preset_task("find pending tables of {settings.cdc.source}")
def find_pending_tables(settings: Settings) -> list[TableName]:
    """Names the tables whose silver is behind bronze."""
    from connectors import merge  # noqa: PLC0415 - start-up time

    return merge.pending_tables(settings)


@preset_task("check contracts of {settings.cdc.source}")
def check_contracts(settings: Settings) -> "ContractCheck":
    """Compares the source's tables with what the lake knows of them."""
    from connectors import evolution  # noqa: PLC0415 - start-up time

    return evolution.check_contracts(settings)


@preset_task("compare {table} after its definition changed")
def settle_change(settings: Settings, table: TableName, change: "Change") -> Settlement:
    """Compares a table whose definition changed with its source; reads it anew if it differs and is small enough."""
    from connectors import settle  # noqa: PLC0415 - start-up time

    return settle.settle_change(settings, table, change)


@preset_task("merge {table}")
def merge_table(settings: Settings, table: TableName, *, checked: "ContractCheck") -> MergeReport:
    """Applies a table's pending changes to silver."""
    from connectors import merge  # noqa: PLC0415 - start-up time

    return merge.merge_table(settings, table, checked=checked)
