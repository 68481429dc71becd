"""The columns that silver adds to those of the source, in order: names and types, once."""

import pyarrow as pa

_TIMESTAMP = pa.timestamp("us", tz="UTC")

CDC_FIELDS = (
    pa.field("_cdc_epoch", pa.int64()),
    pa.field("_cdc_prev_commit_lsn", pa.int64()),
    pa.field("_cdc_lsn", pa.int64()),
    pa.field("_cdc_op", pa.string()),
    pa.field("_cdc_committed_at", _TIMESTAMP),
    pa.field("_cdc_merged_at", _TIMESTAMP),
    pa.field("_cdc_deleted", pa.bool_()),
)
"""Of every table."""

HISTORY_FIELDS = (
    pa.field("_cdc_weight", pa.int32()),
    pa.field("_cdc_partition", pa.int32()),
    pa.field("_cdc_offset", pa.int64()),
)
"""Of tables without a primary key, besides."""

CDC_COLUMNS = tuple(field.name for field in CDC_FIELDS)

POSITION_FIELDS = CDC_FIELDS[:4]
POSITION = CDC_COLUMNS[:4]
"""Columns that hold the position of a row in the change order."""

CHANGE_COLUMNS = CDC_COLUMNS[:5]
"""Columns that a change event fills by itself."""
