"""DynamoDB: whole tables by parallel scan, then their changes from DynamoDB Streams.

A stream holds changes for 24 hours. Where it does not hold the position any more, the table is scanned again: of that,
nothing is lost but time.
"""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, Self

import pyarrow as pa
from pydantic import Field, model_validator

from connectors.aws import aws_client, aws_errors
from connectors.errors import ConfigurationError
from connectors.lake.load_table import Replaced
from connectors.lake.quarantine import RejectedRow
from connectors.loads.batch import Batch
from connectors.loads.declaration import SourceSpec, TableSpec
from connectors.loads.dynamodb_exports import Export, next_export
from connectors.loads.dynamodb_items import texts_of
from connectors.loads.dynamodb_streams import StreamReader
from connectors.loads.names import column_name
from connectors.loads.protocol import Done, Estimate, Progress, Slice
from connectors.loads.reading import Reading
from connectors.loads.window import Window
from connectors.settings import Settings

_Page = tuple[int, dict[str, Any]]  # of which segment, and DynamoDB's answer
_IMAGES = frozenset(("NEW_IMAGE", "NEW_AND_OLD_IMAGES"))


class DynamoTable(TableSpec):
    """A table of DynamoDB."""

    table: str = Field(min_length=3, description="The table.")
    mode: Literal["full", "stream", "export"] = Field(
        "full",
        description="The whole table each time; or once, and from then on its changes: from DynamoDB Streams, or, for "
        "large tables, from exports to S3.",
    )
    export_bucket: str | None = Field(None, description="Bucket that exports are written to.")
    export_prefix: str = Field("exports", description="What their keys begin with.")
    segments: int = Field(4, ge=1, le=64, description="Parts of the table that are scanned at a time.")
    read_units: float | None = Field(None, gt=0, description="Most read units a second; unset: no limit.")

    @model_validator(mode="after")
    def _check_mode(self) -> Self:
        if self.mode == "export" and self.export_bucket is None:
            raise ValueError("`mode: export` needs `export_bucket`")
        return self


class DynamoSource(SourceSpec):
    """An account's tables."""

    type: Literal["dynamodb"]
    tables: dict[str, DynamoTable]


class DynamoDb:
    """The tables of DynamoDB in one account and region."""

    spec: ClassVar[type[SourceSpec]] = DynamoSource

    def __init__(self, settings: Settings, declared: DynamoSource) -> None:  # noqa: ARG002 - the protocol's
        self._client = aws_client(settings.aws, "dynamodb")
        self._streams = aws_client(settings.aws, "dynamodbstreams")
        self._s3 = aws_client(settings.aws, "s3")

    def slices(self, name: str, table: DynamoTable, progress: Progress, window: Window) -> Iterator[Slice]:
        """Yields the whole table, or what the stream has of its changes."""
        if window.is_range:
            raise ConfigurationError(f"{name} is a DynamoDB table, which has no days", hint="omit the range")
        about = self._describe(table)
        key = tuple(part["AttributeName"] for part in about["KeySchema"])
        if table.mode == "full":
            yield _Scan(self._client, table, key, None)
            return
        if table.export_bucket is not None and table.mode == "export":
            place = table.export_bucket, table.export_prefix.strip("/")
            yield from self._exports(about["TableArn"], place, key, {} if window.again else progress)
            return
        reader = StreamReader(self._streams, self._stream(table, about))
        if not window.again and progress.get("stream") == reader.arn and not reader.is_lost(progress["shards"]):
            yield from reader.slices(key, progress["shards"])
        else:
            yield _Scan(self._client, table, key, reader)

    def estimate(self, name: str, table: DynamoTable, progress: Progress, window: Window) -> Estimate:  # noqa: ARG002 - the protocol's
        """Says what DynamoDB counted, some hours ago, of a table that is to be scanned."""
        if table.mode == "stream" and progress.get("stream") is not None and not window.again:
            return Estimate(len(progress["shards"]), None, None)
        about = self._describe(table)
        return Estimate(table.segments, int(about["ItemCount"]), int(about["TableSizeBytes"]))

    def _exports(self, table: str, place: tuple[str, str], key: tuple[str, ...], progress: Progress) -> Iterator[Slice]:
        while (span := next_export(progress, datetime.now(UTC))) is not None:
            yield Export((self._client, self._s3), table, place, key, span)
            progress = {"exported_to": span[1].isoformat()}

    def _describe(self, table: DynamoTable) -> dict[str, Any]:
        with aws_errors(f"DynamoDB table {table.table}"):
            found: dict[str, Any] = self._client.describe_table(TableName=table.table)["Table"]
        return found

    @staticmethod
    def _stream(table: DynamoTable, about: Mapping[str, Any]) -> str:
        declared = about.get("StreamSpecification", {})
        if not declared.get("StreamEnabled") or declared.get("StreamViewType") not in _IMAGES:
            raise ConfigurationError(
                f"DynamoDB table {table.table} has no stream of new images",
                hint=f"aws dynamodb update-table --table-name {table.table} --stream-specification "
                "StreamEnabled=true,StreamViewType=NEW_IMAGE",
            )
        return str(about["LatestStreamArn"])


class _Scan:
    """A whole table, and behind it what the stream has, so that the rows are as new as its end."""

    size = None

    def __init__(self, client: Any, table: DynamoTable, key: tuple[str, ...], reader: StreamReader | None) -> None:
        self._client = client
        self._table = table
        self._key = key
        self._reader = reader
        self._names: tuple[str, ...] = ()
        self.label = f"{table.table}, all of it"

    def read(self, reading: Reading) -> Iterator[pa.Table]:
        """Yields the items, then the changes."""
        self._names = tuple(map(column_name, self._key))
        for items in self._pages(reading):
            batch = Batch()
            for item in items:
                try:
                    row, kinds = texts_of(item, column_name)
                except ValueError as error:
                    reading.reject(RejectedRow(self._table.table, str(item)[:64], 0, str(error), str(item).encode()))
                    continue
                batch.add(row, kinds)
            if batch.count:
                rows = batch.table().append_column("_seq", pa.repeat(pa.scalar(0, pa.int64()), batch.count))
                rows = rows.append_column("_deleted", pa.repeat(pa.scalar(value=False), batch.count))
                yield reading.type_rows(rows, batch.column_kinds, file=self._table.table, version=None)
        if self._reader is not None:
            yield from self._reader.catch_up(self._key, reading)

    def done(self) -> Done:
        """All rows are replaced."""
        if self._reader is None:
            return Done({}, Replaced())
        progress = {"stream": self._reader.arn, "shards": self._reader.positions}
        return Done(progress, Replaced(), self._names)

    def _pages(self, reading: Reading) -> Iterator[list[dict[str, Any]]]:
        """Scans the segments at a time; no more than a page of each is in memory."""
        segments = self._table.segments
        with ThreadPoolExecutor(segments) as pool:
            running: set[Future[_Page]] = {pool.submit(self._page, n, None) for n in range(segments)}
            try:
                while running:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for page in done:
                        segment, answer = page.result()
                        if (last := answer.get("LastEvaluatedKey")) is not None:
                            running.add(pool.submit(self._page, segment, last))
                        units = answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0)
                        reading.facts.consumed_capacity += units
                        yield answer["Items"]
            finally:
                for page in running:
                    page.cancel()

    def _page(self, segment: int, start: dict[str, Any] | None) -> _Page:
        began = time.monotonic()
        options: dict[str, Any] = {} if start is None else {"ExclusiveStartKey": start}
        with aws_errors(f"DynamoDB table {self._table.table}"):
            answer = self._client.scan(
                TableName=self._table.table,
                Segment=segment,
                TotalSegments=self._table.segments,
                ConsistentRead=True,
                ReturnConsumedCapacity="TOTAL",
                **options,
            )
        if self._table.read_units is not None:
            # Each segment has its share of the limit: what was read faster is waited for.
            units = answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0)
            share = self._table.read_units / self._table.segments
            time.sleep(max(0.0, units / share - (time.monotonic() - began)))
        return segment, answer
