"""Quarantine: messages that could not be read, whole, with the reason."""

from collections.abc import Sequence

import duckdb
import pyarrow as pa
from deltalake import write_deltalake

from connectors.changes.columns import names
from connectors.changes.decode import Messages
from connectors.lake.bronze import SCHEMA as BRONZE
from connectors.lake.commits import committing, reached, with_progress
from connectors.lake.layout import LakeLayout
from connectors.lake.storage import ensure_table
from connectors.postgres.identifiers import TableName, quote_literal

SCHEMA = pa.schema(
    [
        *(f for f in BRONZE if f.name != "ingest_date"),
        ("reason", pa.string()),
        ("rejected_at", pa.timestamp("us", tz="UTC")),
    ]
)


def quarantine_rejected(
    connection: duckdb.DuckDBPyConnection, layout: LakeLayout, *, table: TableName, messages: Messages
) -> int:
    """Keeps the messages named in the table `rejected` (their stream address and `reason`); returns how many are new.

    Commits how far the source table got in the same commit: a merge that is run again adds nothing twice.

    Raises:
        CommitConflict: Another merge committed first; run this one again.
    """
    target = ensure_table(layout.quarantine, SCHEMA)
    name = f"v1/batch/{table}"
    done = reached(target, name) or 0
    rows = connection.sql(_select(table, messages, after_batch=done)).to_arrow_table().cast(SCHEMA)
    if len(rows) > 0:
        with committing(target):
            write_deltalake(target, rows, mode="append", commit_properties=with_progress({name: messages.up_to_batch}))
    return len(rows)


def _select(table: TableName, messages: Messages, *, after_batch: int) -> str:
    computed: dict[str, str] = {"source_table": quote_literal(str(table)), "rejected_at": "now()"}
    columns: Sequence[str] = [f"{computed[n]} AS {n}" if n in computed else n for n in SCHEMA.names]
    return (
        f"SELECT {names(columns)} FROM {messages.sql} "
        f"JOIN rejected USING (topic_id, stream_partition, stream_offset) WHERE batch > {after_batch}"
    )
