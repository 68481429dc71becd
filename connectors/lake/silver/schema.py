"""The schema of a silver table, and the error of a paused one."""

import json
import shlex

import pyarrow as pa

from connectors.changes.cdc_columns import CDC_FIELDS, HISTORY_FIELDS
from connectors.changes.columns import Columns
from connectors.errors import TablePaused
from connectors.postgres.contracts import TableContract

_CURRENT = "One row per key. Rows with _cdc_deleted are gone at the source: read WHERE NOT _cdc_deleted."
_HISTORY = (
    "Every image of every row: the source table has no key. A row is there sum(_cdc_weight) times, "
    "grouped by its columns. The table in the folder `current`, if there is one, has the rows as they are."
)


def silver_schema(contract: TableContract, columns: Columns) -> pa.Schema:
    """Returns silver's schema of a table: its columns, marked with their PostgreSQL type, then our own."""
    fields = [pa.field(c.name, c.rule.arrow, metadata={"pg_type": c.contract.type_name}) for c in columns.all]
    return pa.schema([*fields, *CDC_FIELDS, *(() if contract.key else HISTORY_FIELDS)])


def meaning_of(contract: TableContract) -> str:
    """Returns what the rows of a silver table mean, for whoever finds it."""
    return _CURRENT if contract.key else _HISTORY


def table_properties(source: str, contract: TableContract) -> dict[str, str]:
    """Returns what a silver table says of itself in properties: the source, its table there, and its key."""
    return {
        "lakehouse.source": source,
        "lakehouse.table": str(contract.table),
        "lakehouse.key": json.dumps(list(contract.key)),
    }


def resync_command(contract: TableContract) -> str:
    """Returns the command that re-snapshots a table. Without a primary key only a new slot epoch can."""
    if contract.key:
        return f"lakehouse resync {shlex.quote(str(contract.table))}"
    return "lakehouse source remove --yes && lakehouse source register"


def table_paused(contract: TableContract, problem: str, *, command: str | None = None) -> TablePaused:
    """Makes the error of a table that is paused until a command is run, by default `resync_command`."""
    command = command or resync_command(contract)
    return TablePaused(
        f"{contract.table}: {problem}",
        hint=f"run `{command}`; until then the table is paused at its last state, and its events are safe in bronze",
        table=contract.table,
        command=command,
    )
