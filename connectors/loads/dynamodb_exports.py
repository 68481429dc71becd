"""DynamoDB's exports to S3: whole tables as of a moment, then what changed between two, without reading the table.

An export is asked for under a prefix and a token made of what it is of: asked for again, by a run after a killed
one, it is the same export, and costs nothing more.
"""

import base64
import gzip
import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from boto3.s3.transfer import S3Transfer
from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_result, wait_fixed

from connectors.aws import aws_errors, error_code
from connectors.errors import ConfigurationError, ServiceUnavailable
from connectors.lake.load_table import Replaced
from connectors.lake.quarantine import RejectedRow
from connectors.loads.batch import Batch
from connectors.loads.dynamodb_items import texts_of
from connectors.loads.names import column_name
from connectors.loads.protocol import Done
from connectors.loads.reading import Reading

_FULL_EVERY = timedelta(hours=1)  # to which moment a whole table is exported: the last full hour
_SHORTEST, _LONGEST = timedelta(minutes=15), timedelta(hours=24)  # of an incremental export
_LOOK_SECONDS = 10.0


def next_export(progress: Mapping[str, Any], now: datetime) -> tuple[datetime | None, datetime] | None:
    """Returns from when to when to export next, from None of the whole table; None if it is too early.

    Args:
        progress: What the last commit left.
        now: The time.
    """
    done = progress.get("exported_to")
    if done is None:
        return None, _floor(now, _FULL_EVERY)
    since = datetime.fromisoformat(done)
    until = min(since + _LONGEST, _floor(now, _SHORTEST))
    return (since, until) if until - since >= _SHORTEST else None


class Export:
    """One export: one commit.

    Args:
        clients: Of DynamoDB and S3.
        table: ARN of the table.
        place: Bucket and prefix.
        key: The table's key.
        span: From when to when; from None: the whole table.
    """

    size = None

    def __init__(
        self,
        clients: tuple[Any, Any],
        table: str,
        place: tuple[str, str],
        key: tuple[str, ...],
        span: tuple[datetime | None, datetime],
    ) -> None:
        self._dynamodb, self._s3 = clients
        self._table = table
        self._bucket = place[0]
        self._since, self._until = span
        what = "all" if self._since is None else f"{self._since:%Y%m%dT%H%M}"
        self.label = f"export {what} to {self._until:%Y%m%dT%H%M}"
        self._prefix = f"{place[1]}/{table.rpartition('/')[2]}/{what}-{self._until:%Y%m%dT%H%M}".lstrip("/")
        self._key = key

    def read(self, reading: Reading) -> Iterator[pa.Table]:
        """Yields the items; of changes also the keys of deleted ones."""
        wanted, found = self._wait(self._ask()), 0
        with aws_errors(f"bucket {self._bucket}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=f"{self._prefix}/")
            files = [entry["Key"] for page in pages for entry in page.get("Contents", ()) if "/data/" in entry["Key"]]
        for file in sorted(files):
            for records in self._records(file, reading):
                found += len(records)
                yield from self._typed(records, reading)
        if found != wanted:
            raise ServiceUnavailable(
                f"s3://{self._bucket}/{self._prefix} has {found:,} items, and the export {wanted:,}",
                hint="load again; if it stays so, delete that prefix: the next export writes it again",
            )

    def done(self) -> Done:
        """A whole table replaces all rows; of changes, the last of each key counts."""
        key = tuple(map(column_name, self._key))
        progress = {"exported_to": self._until.isoformat()}
        return Done(progress, Replaced() if self._since is None else None, key)

    def _ask(self) -> str:
        options: dict[str, Any] = {"ExportTime": self._until, "ExportType": "FULL_EXPORT"}
        if self._since is not None:
            span = {"ExportFromTime": self._since, "ExportToTime": self._until, "ExportViewType": "NEW_IMAGE"}
            options = {"ExportType": "INCREMENTAL_EXPORT", "IncrementalExportSpecification": span}
        with aws_errors(f"export of {self._table}"):
            try:
                answer = self._dynamodb.export_table_to_point_in_time(
                    TableArn=self._table,
                    S3Bucket=self._bucket,
                    S3Prefix=self._prefix,
                    ExportFormat="DYNAMODB_JSON",
                    ClientToken=hashlib.sha256(f"{self._table} {self._prefix}".encode()).hexdigest()[:32],
                    **options,
                )
            except ClientError as error:
                if error_code(error) == "PointInTimeRecoveryUnavailableException":
                    raise ConfigurationError(
                        f"{self._table} has no point-in-time recovery",
                        hint="aws dynamodb update-continuous-backups --point-in-time-recovery-specification "
                        "PointInTimeRecoveryEnabled=true",
                    ) from error
                raise
        return str(answer["ExportDescription"]["ExportArn"])

    def _wait(self, export: str) -> int:
        """Waits for the end of an export; returns how many items it has."""

        def look() -> dict[str, Any]:
            with aws_errors(export):
                about: dict[str, Any] = self._dynamodb.describe_export(ExportArn=export)["ExportDescription"]
            return about

        going_on = retry_if_result(lambda about: about["ExportStatus"] == "IN_PROGRESS")
        about = Retrying(retry=going_on, wait=wait_fixed(_LOOK_SECONDS))(look)
        if about["ExportStatus"] != "COMPLETED":
            raise ConfigurationError(
                f"{export} failed: {about.get('FailureMessage', '')}", hint="check that it may write to the bucket"
            )
        return int(about["ItemCount"])

    def _records(self, key: str, reading: Reading) -> Iterator[list[dict[str, Any]]]:
        with (
            tempfile.TemporaryDirectory(prefix="lakehouse-export-") as folder,
            aws_errors(f"s3://{self._bucket}/{key}"),
        ):
            file = Path(folder) / "data"
            S3Transfer(self._s3).download_file(self._bucket, key, str(file))
            reading.facts.read_bytes += file.stat().st_size
            records: list[dict[str, Any]] = []
            with gzip.open(file) as lines:
                for line in lines:
                    records.append(json.loads(line))
                    if len(records) == Batch.MOST_ROWS:
                        yield records
                        records = []
            yield records

    def _typed(self, records: list[dict[str, Any]], reading: Reading) -> Iterator[pa.Table]:
        batch, written, deleted = Batch(), [], []
        for record in records:
            item = record.get("Item") or record.get("NewImage")
            image = {name: _decoded(value) for name, value in (item or record["Keys"]).items()}
            try:
                row, kinds = texts_of(image, column_name)
            except ValueError as error:
                raw = json.dumps(record).encode()
                reading.reject(RejectedRow(self._table, hashlib.sha256(raw).hexdigest()[:16], 0, str(error), raw))
                continue
            batch.add(row, kinds)
            written.append(int(record.get("Metadata", {}).get("WriteTimestampMicros", {}).get("N", 0)))
            deleted.append(item is None)
        if batch.count:
            rows = batch.table().append_column("_seq", pa.array(written, pa.int64()))
            rows = rows.append_column("_deleted", pa.array(deleted, pa.bool_()))
            yield reading.type_rows(rows, batch.column_kinds, file=self._table, version=None)


def _decoded(typed: Mapping[str, Any]) -> dict[str, Any]:
    """A value as boto3 would have it: an export has bytes in base64."""
    ((tag, value),) = typed.items()
    match tag:
        case "B":
            return {tag: base64.b64decode(value)}
        case "BS":
            return {tag: [base64.b64decode(v) for v in value]}
        case "L":
            return {tag: [_decoded(v) for v in value]}
        case "M":
            return {tag: {name: _decoded(v) for name, v in value.items()}}
    return {tag: value}


def _floor(moment: datetime, step: timedelta) -> datetime:
    start = datetime(1970, 1, 1, tzinfo=UTC)
    return moment - (moment - start) % step
