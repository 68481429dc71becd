"""Decodes messages into typed changes, in DuckDB, without a Python object per row.

What can't be decoded keeps its row, with the reason: it is for the quarantine, and never NULL in silver.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.changes.columns import Column, Columns, names
from connectors.changes.envelope import OLD_KEY_HEADER, PAYLOAD, number_in, prev_commit, structure
from connectors.changes.events import OPERATIONS
from connectors.debezium.config import AFTER_HEADER, EPOCH_HEADER
from connectors.debezium.placeholder import written
from connectors.postgres.identifiers import TableName, quote_literal

_MICROSECONDS = 1000
_NO_MESSAGES = """(SELECT NULL::VARCHAR AS source_table, NULL::BIGINT AS batch, NULL::VARCHAR AS topic_id,
    NULL::INTEGER AS stream_partition, NULL::BIGINT AS stream_offset, NULL::BLOB AS key, NULL::BLOB AS value,
    NULL::MAP(VARCHAR, BLOB) AS headers, NULL::TIMESTAMPTZ AS stream_time WHERE FALSE)"""


@dataclass(frozen=True)
class Messages:
    """Which messages to decode: those of some files with `after_batch < batch <= up_to_batch`.

    Attributes:
        files: Files of bronze, which hold one table each, or of the quarantine.
        after_batch: The last batch not to decode.
        up_to_batch: The last batch to decode.
        table: The only table to decode.
    """

    files: Sequence[str]
    after_batch: int
    up_to_batch: int
    table: TableName | None = None

    @property
    def sql(self) -> str:
        """The relation of these messages."""
        if not self.files:
            return _NO_MESSAGES
        files = names(quote_literal(f) for f in self.files)
        of_table = "" if self.table is None else f" AND source_table = {quote_literal(str(self.table))}"
        return (
            f"(SELECT * FROM read_parquet([{files}], hive_partitioning = false)"
            f" WHERE batch > {self.after_batch} AND batch <= {self.up_to_batch}{of_table})"
        )


def decode_sql(columns: Columns, messages: Messages, *, placeholder: str, both_images: bool = False) -> str:
    """Returns the query that decodes messages of one table, except tombstones.

    Its columns: `batch, topic_id, stream_partition, stream_offset`; the position `_cdc_*`; `_cdc_committed_at`;
    `transaction_id` (its lower 32 bits); `old_key` (JSON, of a changed primary key);
    `ends_snapshot` (of the last row that a snapshot read);
    `is_resync` (a row of a resync);
    `strange_shape` (the row's columns, if some are not the contract's); value and keep flag of each column; with
    `both_images` also the values before the change, `b_` in front; `reason` of a rejection, or NULL.
    """
    shape = names(quote_literal(c.name) for c in columns.all)
    # A change from before a column was added does not name it.
    missing = "".join(
        f"len(shape) > 0 AND NOT list_contains(shape, {quote_literal(c.name)}) AS missing_{c.value}, "
        for c in columns.all
        if c.fill is not None
    )
    raws = names(_raw(c, both_images=both_images) for c in columns.all)
    values = names(_value(c, both_images=both_images) for c in columns.all)
    keeps = "".join(f"{_keep(c, placeholder)} AS {c.keep}, " for c in columns.toastable)
    return f"""
WITH received AS (
    SELECT batch, topic_id, stream_partition, stream_offset, headers, try(decode(value)) AS body
    FROM {messages.sql} WHERE value IS NOT NULL
), checked AS (
    SELECT * EXCLUDE (body), body IS NULL AS not_text, coalesce(json_valid(body), FALSE) AS is_json,
        CASE WHEN NOT coalesce(json_valid(body), FALSE) THEN NULL
             ELSE {PAYLOAD} END AS body
    FROM received
), parsed AS (
    SELECT * EXCLUDE (body), from_json(body, {quote_literal(structure([c.name for c in columns.all]))}) AS event,
        coalesce(nullif(json_keys(body, '$.after'), []), json_keys(body, '$.before')) AS shape
    FROM checked
), opened AS (
    SELECT batch, topic_id, stream_partition, stream_offset, not_text, is_json,
        {number_in(EPOCH_HEADER)} AS _cdc_epoch, {number_in(AFTER_HEADER)} IS NOT NULL AS is_resync,
        coalesce(
            {number_in(AFTER_HEADER)},
            {prev_commit("event.source.sequence")},
            0
        ) AS _cdc_prev_commit_lsn,
        try_cast(event.source.lsn AS BIGINT) AS lsn,
        try_cast(event.source.txId AS BIGINT) AS transaction_id,
        event.op AS _cdc_op,
        coalesce(event.source.snapshot IN ('last', 'last_in_data_collection'), FALSE) AS ends_snapshot,
        make_timestamptz(try_cast(event.source.ts_ms AS BIGINT) * {_MICROSECONDS}) AS _cdc_committed_at,
        try(decode(headers['{OLD_KEY_HEADER}'])) AS old_key,
        CASE WHEN len(shape) > 0 AND NOT list_has_all([{shape}], shape) THEN shape END AS strange_shape,
        {missing}
        event.after IS NOT NULL AS has_after, event.before IS NOT NULL AS has_before,
        {raws}
    FROM parsed
), flagged AS (
    SELECT *, {keeps} coalesce(lsn, 0) AS _cdc_lsn FROM opened
), typed AS (
    SELECT *, {values} FROM flagged
)
SELECT batch, topic_id, stream_partition, stream_offset,
    -- No change without an LSN has a position: it is not to be taken for one at the very beginning.
    CASE WHEN lsn IS NOT NULL OR _cdc_op = 'r' THEN _cdc_epoch END AS _cdc_epoch,
    _cdc_prev_commit_lsn, _cdc_lsn, _cdc_op, _cdc_committed_at,
    transaction_id, old_key, ends_snapshot, is_resync, strange_shape,
    {_outputs(columns, both_images=both_images)},
    {_reason(columns, both_images=both_images)} AS reason
FROM typed
"""


def old_key_sql(columns: Columns) -> str:
    """Returns the decoded values of `old_key`, named like the key's values with `old_` in front."""
    fields = json.dumps({c.name: "VARCHAR" for c in columns.key})
    parsed = f"from_json(old_key, {quote_literal(fields)})"
    return names(f"{c.rule.decode.format(f'({parsed}).{c.quoted}')} AS old_{c.value}" for c in columns.key)


def _raw(column: Column, *, both_images: bool) -> str:
    after, before = f"event.after.{column.quoted}", f"event.before.{column.quoted}"
    image = f"if(event.op = 'd', {before}, {after}) AS raw_{column.value}"
    return f"{image}, {before} AS b_raw_{column.value}" if both_images else image


def _keep(column: Column, placeholder: str) -> str:
    text = written(placeholder, column.contract)
    absent = "FALSE" if text is None else f"coalesce(raw_{column.value} = {quote_literal(text)}, FALSE)"
    return f"(_cdc_op <> 'd' AND {absent})"


def _value(column: Column, *, both_images: bool) -> str:
    decoded = column.rule.decode.format(f"raw_{column.value}")
    if column.fill is not None:
        decoded = f"CASE WHEN missing_{column.value} THEN {column.fill} ELSE {decoded} END"
    image = f"CASE WHEN {column.keep} THEN NULL ELSE {decoded} END" if column.toastable else decoded
    if not both_images:
        return f"{image} AS {column.value}"
    before = column.rule.decode.format(f"b_raw_{column.value}")
    if column.fill is not None:
        before = f"CASE WHEN missing_{column.value} THEN {column.fill} ELSE {before} END"
    return f"{image} AS {column.value}, {before} AS b_{column.value}"


def _outputs(columns: Columns, *, both_images: bool) -> str:
    keeps = (c.keep for c in columns.toastable)
    before = (f"b_{c.value}" for c in columns.all) if both_images else ()
    return names((*(c.value for c in columns.all), *keeps, *before))


def _reason(columns: Columns, *, both_images: bool) -> str:
    key_missing = " OR ".join(f"raw_{c.value} IS NULL" for c in columns.key) or "FALSE"
    kinds = names(quote_literal(op) for op in OPERATIONS)
    return f"""CASE
        WHEN not_text THEN 'the value is not UTF-8 text'
        WHEN NOT is_json THEN 'the value is not JSON'
        WHEN _cdc_op IS NULL THEN 'no operation'
        WHEN _cdc_op NOT IN ({kinds}) THEN 'unknown operation ' || left(_cdc_op, 100)
        WHEN _cdc_epoch IS NULL THEN 'no header {EPOCH_HEADER}'
        WHEN lsn IS NULL AND _cdc_op <> 'r' THEN 'no LSN'
        WHEN _cdc_op = 't' THEN NULL
        WHEN _cdc_op <> 'd' AND NOT has_after THEN 'no image of the row'
        WHEN _cdc_op = 'd' AND NOT has_before THEN 'no image of the deleted row'
        WHEN {key_missing} THEN 'no value for the key'
        {" ".join(_cast_failures(c, both_images=both_images) for c in columns.all)}
    END"""


def _cast_failures(column: Column, *, both_images: bool) -> str:
    """The reasons for one column; of a delete only the key counts, unless the whole old row is kept."""
    if column.rule.decode == "{0}":
        return ""
    excused = [column.keep] if column.toastable else []
    if not column.is_key and not both_images:
        excused.append("_cdc_op = 'd'")
    checks = [(f"raw_{column.value}", column.value, excused)]
    if both_images:
        checks.append((f"b_raw_{column.value}", f"b_{column.value}", []))
    known = f" ({column.rule.quarantined})" if column.rule.quarantined else ""
    return " ".join(
        f"WHEN {raw} IS NOT NULL AND {value} IS NULL{''.join(f' AND NOT ({e})' for e in excuses)} THEN "
        f"{quote_literal(f'column {column.quoted} can not be read: ')} || left({raw}, 100) || {quote_literal(known)}"
        for raw, value, excuses in checks
    )
