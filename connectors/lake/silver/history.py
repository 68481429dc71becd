"""Appends the changes of a table without a primary key: each image of a row, +1 as it appears, -1 as it goes."""

import datetime as dt

import pyarrow as pa
from deltalake import write_deltalake

from connectors.changes.cdc_columns import POSITION
from connectors.changes.columns import Columns, names
from connectors.changes.low_watermark import LowWatermark
from connectors.changes.order import is_below
from connectors.changes.workspace import MergeWorkspace
from connectors.lake.commits import WRITER, committing, with_progress
from connectors.lake.silver.progress import SilverProgress
from connectors.lake.silver.table import SilverTable
from connectors.lake.views import exact_groups
from connectors.postgres.identifiers import quote_literal


def append_images(
    work: MergeWorkspace, silver: SilverTable, *, low_watermark: LowWatermark | None, progress: SilverProgress
) -> None:
    """Appends the images of `changes`, reverses those below the low watermark, and advances progress, in one commit.

    Raises:
        CommitConflict: Another merge committed first; run this one again.
    """
    rows = read_images(work, silver, low_watermark=low_watermark)
    with committing(silver.table):
        write_deltalake(
            silver.table,
            rows,
            mode="append",
            writer_properties=WRITER,
            commit_properties=with_progress(progress.as_transactions()),
        )


def read_images(work: MergeWorkspace, silver: SilverTable, *, low_watermark: LowWatermark | None) -> pa.Table:
    """Returns the images of `changes`, and the reverse of those below the low watermark, as silver has them."""
    query = _images_sql(work.columns)
    stored = silver.rows()
    if low_watermark is not None and stored is not None:
        query += f" UNION ALL BY NAME {_taken_back_sql(work.columns, stored, low_watermark)}"
    schema = silver.schema
    return work.connection.sql(query).to_arrow_table().select(schema.names).cast(schema)


def _taken_back_sql(columns: Columns, stored: str, low_watermark: LowWatermark) -> str:
    """The images below the low watermark that are left, each with the weight that makes them none."""
    values = names(c.quoted for c in columns.all)
    bits = exact_groups(c.quoted for c in columns.all if pa.types.is_floating(c.rule.arrow))
    epoch, prev = low_watermark.position[:2]
    at = "NULL" if low_watermark.at is None else quote_literal(low_watermark.at.isoformat())
    return f"""
SELECT {values}, {epoch} AS _cdc_epoch, {prev} AS _cdc_prev_commit_lsn, {low_watermark.lsn} AS _cdc_lsn,
    {quote_literal(low_watermark.op)} AS _cdc_op, {at}::TIMESTAMPTZ AS _cdc_committed_at,
    {_now()} AS _cdc_merged_at, TRUE AS _cdc_deleted, -sum(_cdc_weight) AS _cdc_weight
FROM {stored} AS stored WHERE {is_below("stored", low_watermark.position)}
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
