"""Tasks of change data capture: stream to bronze, bronze to silver."""

from connectors import drain, evolution, merge
from connectors.drain import DrainReport
from connectors.evolution import ContractCheck
from connectors.merge import MergeReport
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings
from tasks.policy import preset_task


@preset_task("drain {settings.cdc.source}")
def drain_source(settings: Settings, *, through_lsn: int | None = None) -> DrainReport:
    """Moves what the stream holds of a source to bronze."""
    return drain.drain_source(settings, through_lsn=through_lsn)


@preset_task("find pending tables of {settings.cdc.source}")
def find_pending_tables(settings: Settings) -> list[TableName]:
    """Names the tables whose silver is behind bronze."""
    return merge.pending_tables(settings)


@preset_task("check contracts of {settings.cdc.source}")
def check_contracts(settings: Settings) -> ContractCheck:
    """Compares the source's tables with what the lake knows of them."""
    return evolution.check_contracts(settings)


@preset_task("merge {table}")
def merge_table(settings: Settings, table: TableName, *, checked: ContractCheck) -> MergeReport:
    """Applies a table's pending changes to silver."""
    return merge.merge_table(settings, table, checked=checked)
