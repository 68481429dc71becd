"""The columns of a silver table, and how it follows those of its source."""

import shlex
from collections.abc import Mapping

import pyarrow as pa
from deltalake import DeltaTable, Schema

from connectors.changes.columns import Columns, names
from connectors.errors import ContractMismatch
from connectors.lake.commits import committing, with_progress
from connectors.lake.silver.overwrite import overwrite_rows
from connectors.lake.silver.stored import stored_rows
from connectors.postgres.contracts import TableContract
from connectors.postgres.identifiers import quote_identifier

_TIMESTAMP = pa.timestamp("us", tz="UTC")
_CDC_FIELDS = (
    ("_cdc_epoch", pa.int64()),
    ("_cdc_prev_commit_lsn", pa.int64()),
    ("_cdc_lsn", pa.int64()),
    ("_cdc_op", pa.string()),
    ("_cdc_committed_at", _TIMESTAMP),
    ("_cdc_merged_at", _TIMESTAMP),
    ("_cdc_deleted", pa.bool_()),
)
_HISTORY_FIELDS = (("_cdc_weight", pa.int32()), ("_cdc_partition", pa.int32()), ("_cdc_offset", pa.int64()))


def silver_schema(contract: TableContract, columns: Columns) -> pa.Schema:
    """Returns silver's schema of a table: its columns, marked with their PostgreSQL type, then our own."""
    fields = [pa.field(c.name, c.rule.arrow, metadata={"pg_type": c.contract.type_name}) for c in columns.all]
    own = _CDC_FIELDS if contract.key else _CDC_FIELDS + _HISTORY_FIELDS
    return pa.schema([*fields, *(pa.field(name, kind) for name, kind in own)])


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


def adopt_columns(
    table: DeltaTable,
    *,
    uri: str,
    schema: pa.Schema,
    contract: TableContract,
    columns: Columns,
    progress: Mapping[str, int],
) -> None:
    """Adds the columns that the contract gained; the rows that are there get what the source gave them.

    Raises:
        CommitConflict: Another merge committed first.
        ContractMismatch: The table has other columns, which no adding makes right.
    """
    stored = pa.schema(table.schema().to_arrow())
    other = [f.name for f in stored if f.name not in schema.names or f.type != schema.field(f.name).type]
    if other:
        raise held(contract, f"silver has other columns than the contract: {', '.join(other)}")
    added = [c for c in columns.all if c.name not in stored.names]
    if any(c.fill is not None for c in added):
        rows = stored_rows(table, uri)
        filled = {c.name: f"{c.fill or 'NULL'} AS {c.quoted}" for c in added}
        wanted = names(filled.get(name, quote_identifier(name)) for name in schema.names)
        query = None if rows is None else f"SELECT {wanted} FROM {rows}"
        overwrite_rows(table, query, root=uri, schema=schema, progress=progress)
        return
    if added:
        fields = Schema.from_arrow(pa.schema([schema.field(c.name) for c in added])).fields
        with committing(table):
            table.alter.add_columns(fields, commit_properties=with_progress(progress))
    described = {field.name: field.metadata for field in schema if field.metadata}
    for field in stored:
        if field.metadata != described.get(field.name) and field.name in described:
            # An append of rows that say otherwise would fail.
            metadata = {key.decode(): value.decode() for key, value in described[field.name].items()}
            with committing(table):
                table.alter.set_column_metadata(field.name, metadata, commit_properties=with_progress(progress))
