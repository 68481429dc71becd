"""The work tables of one merge: temporary tables in DuckDB that its steps create, narrow and read."""

from typing import Literal

import duckdb

from connectors.changes.columns import Columns

WorkTable = Literal[
    "changes", "rejected", "stored", "stored_values", "moves", "ready", "later", "unknown", "folded", "judged"
]


class MergeWorkspace:
    """Owns the work tables of one merge.

    | table | one row per | created by |
    |---|---|---|
    | `changes` | decoded change event of the slice; every step takes out what it has dealt with | the engine |
    | `rejected` | message that goes to quarantine: stream address and reason | `reject_unreadable` |
    | `stored`, `stored_values` | silver row of some keys; with the values of some columns | the engine |
    | `moves`, `ready` | changed primary key with unchanged TOAST values; those of one round | `toast` |
    | `later` | pending change behind the slice | `toast` |
    | `unknown` | change whose unchanged TOAST value nobody knows | `toast` |
    | `folded` | key: what is merged | `fold` |
    | `judged` | message that was ever rejected, and its outcome | `settle` |

    Args:
        connection: A connection of its own: temporary tables belong to one.
        columns: The columns of the table that is merged.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, columns: Columns) -> None:
        self.connection = connection
        self.columns = columns

    def create(self, table: WorkTable, query: str) -> None:
        """Creates or replaces a work table."""
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {query}")

    def delete(self, table: WorkTable, condition: str, *, using: WorkTable | None = None) -> None:
        """Deletes rows of a work table, on a condition that may name the rows of another one."""
        joined = "" if using is None else f" USING {using}"
        self.connection.execute(f"DELETE FROM {table}{joined} WHERE {condition}")

    def count(self, table: WorkTable, condition: str = "TRUE") -> int:
        """Counts the rows of a work table that meet a condition."""
        [(count,)] = self.connection.execute(f"SELECT count(*) FROM {table} WHERE {condition}").fetchall()
        return int(count)

    def execute(self, statement: str) -> None:
        """Changes work tables otherwise."""
        self.connection.execute(statement)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Returns the rows of a query on work tables."""
        return self.connection.execute(query).fetchall()
