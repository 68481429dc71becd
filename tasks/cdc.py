"""Tasks of change data capture: stream to bronze, bronze to silver."""

from typing import TYPE_CHECKING

from connectors.cdc.cadence import PendingTable
from connectors.cdc.reports import DrainReport, DriftReport, MergeReport
from connectors.errors import CaptureStopped
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings
from tasks.policy import preset_task

if TYPE_CHECKING:
    from connectors.cdc.contract_check import Change, ContractCheck


@preset_task("exclude unsupported tables of {settings.cdc.source}", "connectors.cdc.exclusion:exclude_unsupported")
def exclude_unsupported(settings: Settings) -> list[TableName]:
    """Takes tables out of the capture that would stop it."""


@preset_task("drain {settings.cdc.source}", "connectors.cdc.drain:drain_source")
def drain_source(settings: Settings, *, through_lsn: int | None = None) -> DrainReport:
    """Moves what the stream holds of a source to bronze."""


@preset_task("check contracts of {settings.cdc.source}", "connectors.cdc.contract_check:check_contracts")
def check_contracts(settings: Settings) -> "ContractCheck":
    """Compares the source's catalogue with the table contracts in the lake."""


@preset_task("resolve drift of {table}", "connectors.cdc.drift:resolve_drift")
def resolve_drift(settings: Settings, table: TableName, change: "Change") -> DriftReport:
    """Compares a table whose definition changed with its source; re-snapshots it if it differs and is small enough."""


@preset_task("find pending tables of {settings.cdc.source}", "connectors.cdc.merge:pending_tables")
def pending_tables(settings: Settings) -> list[PendingTable]:
    """Finds the tables whose silver is behind bronze."""


@preset_task("merge {table}", "connectors.cdc.merge:merge_table")
def merge_table(settings: Settings, table: TableName, *, checked: "ContractCheck") -> MergeReport:
    """Applies a table's pending changes to silver."""


@preset_task("look whether capture of {settings.cdc.source} has stopped", "connectors.cdc.capture:find_stop")
def find_stop(settings: Settings) -> CaptureStopped | None:
    """Finds out why changes come no more, if they do not."""
