"""Replaces all rows of a table in one commit: readers see the old rows or the new ones."""

from collections.abc import Mapping

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from connectors.lake.commits import WRITER, committing, with_progress
from connectors.lake.storage import scratch_connection


def overwrite_rows(
    table: DeltaTable, query: str | None, *, root: str, schema: pa.Schema, progress: Mapping[str, int]
) -> None:
    """Puts the rows of a query, and its columns, in place of a table's own.

    Args:
        table: The table.
        query: Where the rows come from, a query of files of the lake; None: there are none.
        root: The lake's root.
        schema: Columns and types of the rows.
        progress: What the table has reached with them.

    Raises:
        CommitConflict: Another writer committed first.
    """
    with scratch_connection(root) as connection, committing(table):
        write_deltalake(
            table,
            schema.empty_table() if query is None else connection.sql(query).to_arrow_reader().cast(schema),
            mode="overwrite",
            schema_mode="overwrite",
            writer_properties=WRITER,
            # Tried again on top of a compaction, it would leave the rows that this one wrote.
            commit_properties=with_progress(progress, tries=1),
        )
