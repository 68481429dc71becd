"""Appends the changes of a table without a key: every image of a row that came (+1) or went (-1)."""

import datetime as dt
from collections.abc import Mapping

import duckdb
import pyarrow as pa
from deltalake import DeltaTable, WriterProperties, write_deltalake

from connectors.changes.columns import Columns, names
from connectors.changes.floor import Floor
from connectors.changes.order import POSITION, is_below
from connectors.lake.commits import committing, with_progress
from connectors.lake.silver.stored import stored_rows
from connectors.lake.views import exact_groups
from connectors.postgres.identifiers import quote_literal

_WRITER = WriterProperties(compression="ZSTD", compression_level=1)


def append_images(
    connection: duckdb.DuckDBPyConnection,
    silver: DeltaTable,
    *,
    uri: str,
    schema: pa.Schema,
    columns: Columns,
    floor: Floor | None,
    progress: Mapping[str, int],
) -> None:
    """Appends the images of `changes`, takes back what lies below the floor, and advances progress, in one commit.

    Raises:
        CommitConflict: Another merge committed first; run this one again.
    """
    query = _images_sql(columns)
    stored = stored_rows(silver, uri)
    if floor is not None and stored is not None:
        query += f" UNION ALL BY NAME {_taken_back_sql(columns, stored, floor)}"
    rows = connection.sql(query).to_arrow_table().select(schema.names).cast(schema)
    with committing(silver):
        write_deltalake(
            silver, rows, mode="append", writer_properties=_WRITER, commit_properties=with_progress(progress)
        )


def _taken_back_sql(columns: Columns, stored: str, floor: Floor) -> str:
    """The images below the floor that are left, each with the weight that makes them none."""
    values = names(c.quoted for c in columns.all)
    bits = exact_groups(c.quoted for c in columns.all if pa.types.is_floating(c.rule.arrow))
    epoch, prev = floor.position[:2]
    at = "NULL" if floor.at is None else quote_literal(floor.at.isoformat())
    return f"""
SELECT {values}, {epoch} AS _cdc_epoch, {prev} AS _cdc_prev_commit_lsn, {floor.lsn} AS _cdc_lsn,
    {quote_literal(floor.op)} AS _cdc_op, {at}::TIMESTAMPTZ AS _cdc_committed_at,
    {_now()} AS _cdc_merged_at, TRUE AS _cdc_deleted, -sum(_cdc_weight) AS _cdc_weight
FROM {stored} AS stored WHERE {is_below("stored", floor.position)}
GROUP BY {values}{bits} HAVING sum(_cdc_weight) <> 0
"""


def _images_sql(columns: Columns) -> str:
    cdc = f"""{names(POSITION)}, _cdc_committed_at, {_now()} AS _cdc_merged_at,
        stream_partition AS _cdc_partition, stream_offset AS _cdc_offset"""
    # Of a delete, the decoded image is the row before it.
    current = names(f"{c.value} AS {c.quoted}" for c in columns.all)
    before = names(f"b_{c.value} AS {c.quoted}" for c in columns.all)
    return f"""
SELECT {current}, {cdc}, _cdc_op = 'd' AS _cdc_deleted, if(_cdc_op = 'd', -1, 1) AS _cdc_weight FROM changes
UNION ALL BY NAME
SELECT {before}, {cdc}, TRUE AS _cdc_deleted, -1 AS _cdc_weight FROM changes WHERE _cdc_op = 'u'
"""


def _now() -> str:
    return f"{quote_literal(dt.datetime.now(dt.UTC).isoformat())}::TIMESTAMPTZ"
