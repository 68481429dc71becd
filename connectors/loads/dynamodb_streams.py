"""DynamoDB Streams: the changes of a table for 24 hours, in shards that follow each other."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
from botocore.exceptions import ClientError

from connectors.aws import aws_errors, error_code
from connectors.errors import ServiceUnavailable
from connectors.lake.quarantine import RejectedRow
from connectors.loads.batch import Batch
from connectors.loads.dynamodb_items import texts_of
from connectors.loads.names import column_name
from connectors.loads.protocol import Done, Slice
from connectors.loads.reading import Reading

_END = "end"
_TRIMMED = frozenset(("TrimmedDataAccessException", "ResourceNotFoundException"))  # older than 24 hours
_EMPTY_PAGES = 10
_MOST_RECORDS = 50_000


class StreamReader:
    """Reads a stream to its end, parents before their children.

    Args:
        client: Client of DynamoDB Streams.
        arn: The stream.

    Attributes:
        positions: The last sequence number read of each shard; `end` of one that is closed and read.
    """

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self.arn = arn
        self.positions: dict[str, str | None] = {}

    def is_lost(self, positions: Mapping[str, str | None]) -> bool:
        """Whether the stream does not hold what is behind some position any more."""
        there = {shard["ShardId"]: shard.get("ParentShardId") for shard in self._shards()}
        unread = {shard: position for shard, position in positions.items() if position != _END}
        if any(shard not in there or self._iterator(shard, position) is None for shard, position in unread.items()):
            return True
        # A shard whose parent is neither there nor known: between the two, one came and went unread.
        parents = {parent for shard, parent in there.items() if shard not in positions and parent is not None}
        return not parents <= {*positions, *there}

    def slices(self, key: tuple[str, ...], positions: Mapping[str, str | None]) -> Iterator[Slice]:
        """Yields the changes behind positions, some thousand at a time."""
        self.positions = dict(positions)
        while True:
            part = _Changes(self, key)
            yield part
            if not part.is_full:
                return

    def catch_up(self, key: tuple[str, ...], reading: Reading) -> Iterator[pa.Table]:
        """Yields all changes that the stream holds, in order."""
        number = 0
        for records in self.records():
            yield from _typed(records, key, reading, first=number + 1)
            number += len(records)

    def records(self) -> Iterator[list[dict[str, Any]]]:
        """Yields pages of records behind the positions, and moves these."""
        shards = {shard["ShardId"]: shard for shard in self._shards()}
        # What DynamoDB has forgotten needs no position any more.
        self.positions = {shard: position for shard, position in self.positions.items() if shard in shards}
        for shard in _parents_first(shards):
            if self.positions.get(shard) != _END:
                yield from self._read(shard)

    def _read(self, shard: str) -> Iterator[list[dict[str, Any]]]:
        iterator = self._iterator(shard, self.positions.setdefault(shard, None))
        if iterator is None:
            raise ServiceUnavailable(f"{self.arn} has just dropped a position", hint="load again: it scans the table")
        empty = 0
        # An open shard has no end: some empty pages in a row are taken for it.
        while empty < _EMPTY_PAGES:
            with aws_errors(self.arn):
                page = self._client.get_records(ShardIterator=iterator)
            records, iterator = page["Records"], page.get("NextShardIterator")
            if records:
                self.positions[shard] = records[-1]["dynamodb"]["SequenceNumber"]
                yield records
            if iterator is None:
                self.positions[shard] = _END
                return
            empty = 0 if records else empty + 1

    def _iterator(self, shard: str, position: str | None) -> str | None:
        """What reads a shard from behind a position; None if the stream does not hold it any more."""
        where: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if position is not None:
            where = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": position}
        with aws_errors(self.arn):
            try:
                answer = self._client.get_shard_iterator(StreamArn=self.arn, ShardId=shard, **where)
            except ClientError as error:
                if error_code(error) in _TRIMMED:
                    return None
                raise
        return str(answer["ShardIterator"])

    def _shards(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        last: dict[str, str] = {}
        while True:
            with aws_errors(self.arn):
                about = self._client.describe_stream(StreamArn=self.arn, **last)["StreamDescription"]
            found += about["Shards"]
            if about.get("LastEvaluatedShardId") is None:
                return found
            last = {"ExclusiveStartShardId": about["LastEvaluatedShardId"]}


class _Changes:
    """Some thousand changes."""

    size = None
    label = "changes"

    def __init__(self, reader: StreamReader, key: tuple[str, ...]) -> None:
        self._reader = reader
        self._key = key
        self._names: tuple[str, ...] = ()
        self.is_full = False

    def read(self, reading: Reading) -> Iterator[pa.Table]:
        """Yields the new images of changed items, and the keys of deleted ones."""
        self._names = tuple(map(column_name, self._key))
        number = 0
        for records in self._reader.records():
            yield from _typed(records, self._key, reading, first=number)
            number += len(records)
            if number >= _MOST_RECORDS:
                self.is_full = True
                return

    def done(self) -> Done:
        """The last change of each key counts."""
        return Done({"stream": self._reader.arn, "shards": dict(self._reader.positions)}, None, self._names)


def _typed(records: list[dict[str, Any]], key: tuple[str, ...], reading: Reading, *, first: int) -> Iterator[pa.Table]:
    batch, numbers, deleted = Batch(), [], []
    for number, record in enumerate(records, first):
        change = record["dynamodb"]
        gone = record["eventName"] == "REMOVE"
        item = {name: change["Keys"][name] for name in key} if gone else change["NewImage"]
        try:
            row, kinds = texts_of(item, column_name)
        except ValueError as error:
            reading.reject(RejectedRow("stream", change["SequenceNumber"], 0, str(error), str(item).encode()))
            continue
        batch.add(row, kinds)
        numbers.append(number)
        deleted.append(gone)
    if batch.count:
        rows = batch.table().append_column("_seq", pa.array(numbers, pa.int64()))
        rows = rows.append_column("_deleted", pa.array(deleted, pa.bool_()))
        yield reading.type_rows(rows, batch.column_kinds, file="stream", version=None)


def _parents_first(shards: Mapping[str, Mapping[str, Any]]) -> list[str]:
    ordered: dict[str, None] = {}

    def visit(shard: str) -> None:
        parent = str(shards[shard].get("ParentShardId"))
        if parent in shards and parent not in ordered:
            visit(parent)
        ordered.setdefault(shard)

    for shard in shards:
        visit(shard)
    return list(ordered)
