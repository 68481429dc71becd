"""Replaces a silver table by another one in a single commit: readers see the old rows or the new ones."""

import pyarrow as pa
from deltalake import DeltaTable

from connectors.changes.columns import names
from connectors.errors import CommitConflict, ContractMismatch
from connectors.lake.numbers import reached
from connectors.lake.silver.overwrite import overwrite_rows
from connectors.lake.silver.statistics import adopt_statistics
from connectors.lake.silver.table import SilverTable
from connectors.lake.storage import scratch_connection
from connectors.lake.views import pin_table
from connectors.postgres.identifiers import quote_identifier


def compare_rows(old: SilverTable, new: SilverTable) -> tuple[int, int]:
    """Returns how many rows the new table has, and how many only one of the two has.

    Raises:
        ContractMismatch: The new table has two rows of one key.
    """
    contract = new.contract
    # As text, numbers that differ in their sign alone differ.
    columns = names(
        f"{c.quoted}::VARCHAR AS {c.quoted}" if pa.types.is_floating(c.rule.arrow) else c.quoted
        for c in new.columns.all
    )
    keys = names(map(quote_identifier, contract.key))
    distinct = f"count(DISTINCT ({keys}))" if keys else "count(*)"
    ours = f"SELECT {columns} FROM ({pin_table(contract.table, new.uri, new.table).current})"
    theirs = f"SELECT {columns} FROM ({pin_table(contract.table, old.uri, old.table).current})"
    with scratch_connection(new.uri) as connection:
        [(rows, different_keys)] = connection.execute(f"SELECT count(*), {distinct} FROM ({ours})").fetchall()
        if rows != different_keys:
            raise ContractMismatch(
                f"the rebuilt {contract.table} has {rows} rows of {different_keys} keys; the old table stays in place",
                hint="if the source changed the key: `lakehouse source remove --yes && lakehouse source register`",
                table=contract.table,
            )
        if not {c.name for c in contract.columns} <= set(old.table.schema().to_arrow().names):
            return rows, rows
        only_one = f"(({ours}) EXCEPT ALL ({theirs})) UNION ALL (({theirs}) EXCEPT ALL ({ours}))"
        [(differing,)] = connection.execute(f"SELECT count(*) FROM ({only_one})").fetchall()
    return rows, differing


def replace_rows(silver: SilverTable, new: SilverTable) -> None:
    """Takes over the rows, the columns and the progress of a table that was made beside this one.

    Raises:
        CommitConflict: A merge committed first: bring the new one up to it, and try again.
    """
    if silver.batch > new.batch:
        raise CommitConflict(f"{silver.uri}: a merge has got further than the table that is to replace it")
    rows = new.rows()
    # A table that has merged nothing since its contract gained a column does not have it yet.
    stored = set(new.table.schema().to_arrow().names)
    schema = pa.schema([field for field in new.schema if field.name in stored])
    adopt_statistics(silver.table, new.columns)
    overwrite_rows(
        silver.table,
        None if rows is None else f"SELECT {names(map(quote_identifier, schema.names))} FROM {rows}",
        root=new.uri,
        schema=schema,
        progress={**new.progress.as_transactions(), _name(new.table): 1},
    )


def has_replaced(silver: SilverTable, other: DeltaTable) -> bool:
    """Whether the rows of another table were taken over."""
    return reached(silver.table, _name(other)) is not None


def _name(table: DeltaTable) -> str:
    return f"v1/replaced-by/{table.metadata().id}"
