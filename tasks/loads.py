"""Tasks of batch loads."""

from collections.abc import Sequence

from connectors.loads.reports import LoadReport, LoadStatus
from connectors.loads.window import Window
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings
from tasks.policy import preset_task


@preset_task("find tables of {source}", "connectors.loads.status:declared_tables")
def declared_tables(settings: Settings, source: str, tables: Sequence[str]) -> list[TableName]:
    """Names the tables of a source that are to be loaded."""


@preset_task("look at {source}", "connectors.loads.status:read_status")
def read_status(settings: Settings, source: str | None) -> list[LoadStatus]:
    """Reads how the tables of a source are."""


@preset_task("load {source}.{table}", "connectors.loads.load:load_table")
def load_table(settings: Settings, source: str, table: str, *, window: Window) -> LoadReport:
    """Loads what is new in a table."""
