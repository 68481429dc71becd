"""A column whose declared type changed: the table is rewritten, if no value is lost by that."""

from dataclasses import replace

import pyarrow as pa

from connectors.errors import ContractMismatch
from connectors.lake.load_table import LoadTable, Replaced, Rows
from connectors.lake.load_views import pin_load
from connectors.lake.storage import duckdb_connection
from connectors.loads.declaration import TableSpec
from connectors.loads.names import column_name
from connectors.loads.types import column_type, duckdb_type
from connectors.postgres.identifiers import TableName, quote_identifier
from connectors.settings import Settings


def follow_types(settings: Settings, lake: LoadTable, table: TableName, spec: TableSpec) -> None:
    """Gives the columns of a table the types that are declared now, in one commit.

    Raises:
        CommitConflict: Another load committed first.
        ContractMismatch: A value of the table is not of the new type.
    """
    hashed = {column_name(name) for name, what in spec.pii.items() if what == "hash"}
    declared = {column_name(name): kind for name, kind in spec.columns.items() if column_name(name) not in hashed}
    known = lake.state.columns
    changed = {name: kind for name, kind in declared.items() if known.get(name, kind) != kind}
    pinned = pin_load(settings.lake.root, table.schema, table.name) if changed else None
    if pinned is None:
        return
    columns = {name: column_type(changed.get(name, kind)) for name, kind in known.items()}
    values = {name: _cast(name, known[name], changed.get(name)) for name in columns}
    with duckdb_connection(settings.lake.root) as connection:
        for name, kind in changed.items():
            lost = f"{quote_identifier(name)} IS NOT NULL AND {values[name]} IS NULL"
            found = connection.execute(f"SELECT {quote_identifier(name)} FROM ({pinned.rows}) WHERE {lost} LIMIT 1")
            for (value,) in found.fetchall():
                raise ContractMismatch(
                    f"column {table}.{name} is {known[name]} in the lake and declared as {kind}, which {value} is not",
                    hint=f"declare it as {known[name]}, or under a type that holds both: text always does",
                )
        selected = ", ".join(f"{value} AS {quote_identifier(name)}" for name, value in values.items())
        rows = Rows(
            query=f"SELECT {selected} FROM ({pinned.rows})",
            columns=pa.schema([(name, kind.arrow) for name, kind in columns.items()]),
            exact=[name for name, kind in columns.items() if kind.exact_statistics],
            replaced=Replaced(),
        )
        # dlt learns the new types with the next rows.
        lake.rewrite(connection, rows, replace(lake.state, columns={**known, **changed}, schema=None))


def _cast(name: str, before: str, after: str | None) -> str:
    quoted = quote_identifier(name)
    if after is None:
        return quoted
    text = f"base64({quoted})" if before == "binary" else f"{quoted}::VARCHAR"
    return f"({column_type(after).decode.format(f'({text})')})::{duckdb_type(column_type(after))}"
