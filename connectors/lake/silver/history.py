"""Appends the changes of a table without a key: every image of a row that came (+1) or went (-1)."""

import datetime as dt

import duckdb
import pyarrow as pa
from deltalake import DeltaTable, WriterProperties, write_deltalake

from connectors.changes.columns import Columns, names
from connectors.changes.order import POSITION
from connectors.lake.commits import committing, with_progress
from connectors.lake.silver.upsert import BATCH
from connectors.postgres.identifiers import quote_literal

_WRITER = WriterProperties(compression="ZSTD", compression_level=1)


def append_images(
    connection: duckdb.DuckDBPyConnection, silver: DeltaTable, *, schema: pa.Schema, columns: Columns, up_to_batch: int
) -> None:
    """Appends the images of `changes` and advances silver's progress, in one commit.

    Raises:
        CommitConflict: Another merge committed first; run this one again.
    """
    rows = connection.sql(_images_sql(columns)).to_arrow_table().select(schema.names).cast(schema)
    with committing(silver):
        write_deltalake(
            silver,
            rows,
            mode="append",
            writer_properties=_WRITER,
            commit_properties=with_progress({BATCH: up_to_batch}),
        )


def _images_sql(columns: Columns) -> str:
    merged_at = quote_literal(dt.datetime.now(dt.UTC).isoformat())
    cdc = f"""{names(POSITION)}, _cdc_committed_at, {merged_at}::TIMESTAMPTZ AS _cdc_merged_at,
        stream_partition AS _cdc_partition, stream_offset AS _cdc_offset"""
    # Of a delete, the decoded image is the row before it.
    current = names(f"{c.value} AS {c.quoted}" for c in columns.all)
    before = names(f"b_{c.value} AS {c.quoted}" for c in columns.all)
    return f"""
SELECT {current}, {cdc}, _cdc_op = 'd' AS _cdc_deleted, if(_cdc_op = 'd', -1, 1) AS _cdc_weight FROM changes
UNION ALL BY NAME
SELECT {before}, {cdc}, TRUE AS _cdc_deleted, -1 AS _cdc_weight FROM changes WHERE _cdc_op = 'u'
"""
