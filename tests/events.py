"""Change events as Debezium writes them, for tests that need no Debezium."""

import json

import pyarrow as pa

from connectors.streams.protocol import MESSAGES, RawBatch, StreamPartition

PLACEHOLDER = "placeholder-5f2c"
PARTITION = StreamPartition("s.public.t", "topic-id", 0)


def event(op, row=None, *, key=None, lsn=0, prev=None, before=None, epoch=1, old_key=None, **source):
    """One message, as (key, value, headers). `row` is the image after the change, of a delete the one before."""
    sequence = json.dumps([None if prev is None else str(prev), str(lsn)])
    body = {
        "op": op,
        "before": row if op == "d" else before,
        "after": None if op in "dt" else row,
        "source": {"lsn": lsn, "sequence": sequence, "ts_ms": 1_700_000_000_000, **source},
    }
    headers = [("lakehouse.epoch", str(epoch).encode())]
    if old_key is not None:
        headers.append(("__debezium.oldkey", json.dumps(old_key).encode()))
    return json.dumps(key).encode(), json.dumps(body).encode(), headers


def raw_batch(messages, *, first_offset=0, partition=PARTITION):
    """A poll's result from (key, value, headers) tuples."""
    count = len(messages)
    rows = {
        "topic": [partition.topic] * count,
        "topic_id": [partition.topic_id] * count,
        "stream_partition": [partition.partition] * count,
        "stream_offset": list(range(first_offset, first_offset + count)),
        "stream_time": [1_700_000_000_000] * count,
        "key": [m[0] for m in messages],
        "value": [m[1] for m in messages],
        "headers": [m[2] for m in messages],
    }
    arrays = [pa.array(rows[f.name], f.type) for f in MESSAGES]
    return RawBatch(pa.table(arrays, schema=MESSAGES), {partition: first_offset + count})
