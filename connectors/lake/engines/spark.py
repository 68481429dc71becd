"""Runs a partitioned merge on Spark, which places the steps and moves chunks, and knows nothing of their rows.

So it needs no jars: no Delta, no S3. The environment of the executors has to have this library.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from connectors.lake.engines.workers import Chunk

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_SCHEMA = "number int, payload binary"
_ARROW = pa.schema([("number", pa.int32()), ("payload", pa.binary())])


class SparkRunner:
    """Implements `Runner` on data frames.

    Args:
        session: Spark; `spark.sql.execution.arrow.maxRecordsPerBatch` should be small, as a record is a chunk.
    """

    def __init__(self, session: "SparkSession") -> None:
        self._session = session

    def stop(self) -> None:
        """Ends Spark."""
        self._session.stop()

    def spread(self, payloads: Iterable[bytes]) -> "DataFrame":
        """Makes chunks of payloads, numbered from 0, a task for each."""
        chunks = [(number, bytearray(payload)) for number, payload in enumerate(payloads)]
        frame = self._session.createDataFrame(chunks, _SCHEMA)
        return frame.repartition(max(1, len(chunks)), "number") if chunks else frame

    def each(self, chunks: "DataFrame", step: Callable[[int, bytes], Iterator[Chunk]]) -> "DataFrame":
        """Runs a step on each chunk; Spark keeps what comes of it, on disk where it does not fit into memory."""

        def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                for chunk in batch.to_pylist():
                    for number, payload in step(chunk["number"], chunk["payload"]):
                        yield pa.RecordBatch.from_pylist([{"number": number, "payload": payload}], _ARROW)

        return chunks.mapInArrow(run, _SCHEMA).persist()

    def join(
        self, chunks: Sequence["DataFrame"], step: Callable[[int, Sequence[bytes]], Iterator[bytes]]
    ) -> list[bytes]:
        """Runs a step on all payloads of each number, which Spark brings together."""

        def run(group: pa.Table) -> pa.Table:
            [number] = set(group.column("number").to_pylist())
            found = [{"number": number, "payload": data} for data in step(number, group.column("payload").to_pylist())]
            return pa.Table.from_pylist(found, _ARROW)

        joined: Any = reduce(lambda left, right: left.union(right), chunks)
        return _payloads(joined.groupBy("number").applyInArrow(run, _SCHEMA))

    def collect(self, chunks: "DataFrame", number: int) -> list[bytes]:
        """Returns the payloads of one number."""
        return _payloads(chunks.where(f"number = {number}"))


def _payloads(frame: "DataFrame") -> list[bytes]:
    return [bytes(row["payload"]) for row in frame.select("payload").collect()]
