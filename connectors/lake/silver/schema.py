"""The schema of a silver table, and the error of one that its source has grown out of."""

import shlex

import pyarrow as pa

from connectors.changes.cdc_columns import CDC_FIELDS, HISTORY_FIELDS
from connectors.changes.columns import Columns
from connectors.errors import ContractMismatch
from connectors.postgres.contracts import TableContract


def silver_schema(contract: TableContract, columns: Columns) -> pa.Schema:
    """Returns silver's schema of a table: its columns, marked with their PostgreSQL type, then our own."""
    fields = [pa.field(c.name, c.rule.arrow, metadata={"pg_type": c.contract.type_name}) for c in columns.all]
    return pa.schema([*fields, *CDC_FIELDS, *(() if contract.key else HISTORY_FIELDS)])


def reading_command(contract: TableContract) -> str:
    """The command that reads a table's rows again; rows that can't be told apart are read before all changes only."""
    if contract.key:
        return f"lakehouse resync {shlex.quote(str(contract.table))}"
    return "lakehouse source remove --yes && lakehouse source register"


def held(contract: TableContract, problem: str, *, command: str | None = None) -> ContractMismatch:
    """Makes the error of a table that can't be merged until a command, by default the usual one, reads it anew."""
    command = command or reading_command(contract)
    return ContractMismatch(
        f"{contract.table}: {problem}",
        hint=f"the table changed at the source: `{command}` reads it anew; "
        "until then it is held at its last state, its events are safe in bronze",
        table=contract.table,
        command=command,
    )
