"""S3 objects: CSV, JSON lines and Parquet, plain or compressed.

An object was loaded if one of its key, etag, size and time of modification was: neither a wrong clock nor an object
that is overwritten hides anything. An overwritten object replaces its rows in one commit.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa
from botocore.exceptions import ClientError
from pydantic import Field, field_validator

from connectors.aws import aws_client, aws_errors, error_code
from connectors.errors import ConfigurationError
from connectors.lake.load_table import Replaced
from connectors.lake.quarantine import RejectedRow
from connectors.loads.batch import Batch
from connectors.loads.declaration import SourceSpec, TableSpec
from connectors.loads.files import BrokenFile, CsvDialect, plain_bytes, read_csv, read_json_lines, read_parquet
from connectors.loads.names import column_name
from connectors.loads.object_paths import ObjectPath
from connectors.loads.protocol import Done, Estimate, Progress, Slice
from connectors.loads.reading import Reading
from connectors.loads.window import Window
from connectors.settings import Settings

_MOST_OBJECTS = 500
_CHUNK = 4 * 1024 * 1024
_FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet"}
_GONE, _CHANGED = frozenset(("NoSuchKey", "404")), frozenset(("PreconditionFailed", "412"))


class ObjectsTable(TableSpec):
    """A table of objects."""

    path: str = Field(description="Pattern of keys: `clicks/%Y/%m/%d/*.jsonl.gz`; with a day, it can be backfilled.")
    format: Literal["csv", "jsonl", "parquet"] | None = Field(None, description="Format; unset: by the key's end.")
    delimiter: str = Field(",", min_length=1, max_length=1, description="CSV: between fields.")
    quote: str = Field('"', min_length=1, max_length=1, description="CSV: around fields.")
    header: tuple[str, ...] | None = Field(None, description="CSV: names of the columns; unset: the first line.")
    encoding: str = Field("utf-8", description="CSV: encoding of the text.")
    on_deleted: Literal["keep", "remove"] = Field("keep", description="The rows of objects that are deleted.")

    @property
    def has_days(self) -> bool:
        """Whether its path names a day."""
        return ObjectPath(self.path).has_days

    @field_validator("path")
    @classmethod
    def _check_path(cls, path: str) -> str:
        if problem := ObjectPath(path).problem():
            raise ValueError(problem)
        return path

    @field_validator("encoding")
    @classmethod
    def _know_encoding(cls, name: str) -> str:
        try:
            "".encode(name)
        except LookupError:
            raise ValueError(f"there is no encoding {name!r}") from None
        return name


class ObjectsSource(SourceSpec):
    """A bucket."""

    type: Literal["s3_objects"]
    bucket: str = Field(min_length=3, description="The bucket.")
    tables: dict[str, ObjectsTable]


@dataclass(frozen=True)
class S3Object:
    """An object as it is listed."""

    key: str
    etag: str
    size: int
    modified: str
    day: date | None

    @property
    def identity(self) -> list[str | int]:
        """What distinguishes this version of it, as the progress has it."""
        return [self.etag, self.size, self.modified]


class S3Objects:
    """The objects of a bucket."""

    spec: ClassVar[type[SourceSpec]] = ObjectsSource

    def __init__(self, settings: Settings, declared: ObjectsSource) -> None:
        self._bucket = declared.bucket
        self._client = aws_client(settings.aws, "s3")
        self._slice_bytes = settings.loads.slice_bytes

    def slices(self, name: str, table: ObjectsTable, progress: Progress, window: Window) -> Iterator[Slice]:
        """Yields new objects, then those that were overwritten or deleted; of a repeated range, day by day."""
        found = self._list(name, table, window)
        known: dict[str, list[Any]] = dict(progress.get("objects", {}))
        if window.files is not None:
            parts = list(self._parts([o for o in found if o.key in window.files]))
        elif window.again:
            groups = groupby(sorted(found, key=lambda o: (o.day or date.min, o.key)), key=lambda o: o.day)
            chosen = [list(objects) for day, objects in groups]
            parts = [part for objects in chosen for part in ([objects] if objects[0].day else self._parts(objects))]
        else:
            new = [o for o in found if o.key not in known]
            changed = [o for o in found if o.key in known and known[o.key] != o.identity]
            parts = [*self._parts(new), *self._parts(changed)]
        for objects in parts:
            yield _Objects(self, table, objects, known)
        gone = self._deleted(table, found, known, window) if table.on_deleted == "remove" else []
        if gone:
            yield _Objects(self, table, [], known, gone=gone)

    def estimate(self, name: str, table: ObjectsTable, progress: Progress, window: Window) -> Estimate:
        """Says how many objects there are to read, and how large they are."""
        known = progress.get("objects", {})
        wanted = [o for o in self._list(name, table, window) if window.again or known.get(o.key) != o.identity]
        return Estimate(len(wanted), None, sum(o.size for o in wanted))

    def fetch(self, found: S3Object, file: Path) -> str | None:
        """Takes an object to a file; returns why not, if it is not there any more as it was listed."""
        with aws_errors(f"s3://{self._bucket}/{found.key}"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=found.key, IfMatch=f'"{found.etag}"')
                with file.open("wb") as out:
                    for chunk in answer["Body"].iter_chunks(_CHUNK):
                        out.write(chunk)
            except ClientError as error:
                if error_code(error) in _GONE:
                    return "vanished"
                if error_code(error) in _CHANGED:
                    return "changed"
                raise
        return None

    def _list(self, name: str, table: ObjectsTable, window: Window) -> list[S3Object]:
        path = ObjectPath(table.path)
        if window.is_range and not path.has_days:
            raise ConfigurationError(
                f"the objects of {name} are of no day: {table.path}", hint="name the day in `path`, %Y/%m/%d"
            )
        listed = []
        with aws_errors(f"bucket {self._bucket}"):
            for prefix in path.prefixes(window.since, window.until):
                for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                    for entry in page.get("Contents", ()):
                        match = path.match(entry["Key"])
                        if match is not None and (match.day is None or window.has(match.day)):
                            modified = entry["LastModified"].isoformat()
                            etag = entry["ETag"].strip('"')
                            listed.append(S3Object(entry["Key"], etag, entry["Size"], modified, match.day))
        return sorted(listed, key=lambda o: (o.modified, o.key))

    def _parts(self, objects: list[S3Object]) -> Iterator[list[S3Object]]:
        part: list[S3Object] = []
        size = 0
        for found in objects:
            if part and (size + found.size > self._slice_bytes or len(part) == _MOST_OBJECTS):
                yield part
                part, size = [], 0
            part.append(found)
            size += found.size
        if part:
            yield part

    def _deleted(
        self, table: ObjectsTable, found: list[S3Object], known: dict[str, list[Any]], window: Window
    ) -> list[str]:
        there, path = {o.key for o in found}, ObjectPath(table.path)
        matched = {key: path.match(key) for key in known if key not in there}
        return [k for k, m in matched.items() if m is not None and (m.day is None or window.has(m.day))]


class _Objects:
    """Some objects, loaded together."""

    def __init__(
        self,
        source: S3Objects,
        table: ObjectsTable,
        objects: list[S3Object],
        known: dict[str, list[Any]],
        *,
        gone: list[str] | None = None,
    ) -> None:
        self._source = source
        self._table = table
        self._objects = objects
        self._known = known
        self._gone = gone or []
        self._broken: list[str] = []
        self._skipped: set[str] = set()

    @property
    def label(self) -> str:
        """The first object, and how many there are."""
        if not self._objects:
            return f"{len(self._gone)} deleted objects"
        more = f" and {len(self._objects) - 1} more" if len(self._objects) > 1 else ""
        return f"{self._objects[0].key}{more}"

    @property
    def size(self) -> int:
        """Bytes of the objects."""
        return sum(o.size for o in self._objects)

    def read(self, reading: Reading) -> Iterator[pa.Table]:
        """Yields the rows of all objects; of one that breaks off, nothing is kept."""
        for found in self._objects:
            with tempfile.TemporaryDirectory(prefix="lakehouse-object-") as folder:
                file = Path(folder) / "object"
                problem = self._source.fetch(found, file)
                if problem is None:
                    reading.facts.read_bytes += found.size
                    yield from self._rows(found, file, reading)
                    continue
            self._skipped.add(found.key)
            if problem == "vanished":
                self._reject(reading, found, 0, "the object vanished between listing and reading")
            else:
                reading.facts.notes.append(f"{found.key} was overwritten while it was read: the next load takes it")

    def done(self) -> Done:
        """Remembers the objects; of those that broke off, the rows of their last good version stay."""
        replaced = [
            o.key
            for o in self._objects
            if o.key in self._known and o.key not in self._skipped and o.key not in self._broken
        ]
        for found in self._objects:
            if found.key not in self._skipped:
                self._known[found.key] = found.identity
        for key in self._gone:
            del self._known[key]
        values = (*replaced, *self._gone)
        return Done(
            progress={"objects": dict(self._known)},
            replaced=Replaced("_object", values) if values else None,
            broken=tuple(self._broken),
            read={o.key: o.etag for o in self._objects if o.key not in {*self._skipped, *self._broken}}
            | dict.fromkeys(self._gone, ""),
        )

    def _rows(self, found: S3Object, file: Path, reading: Reading) -> Iterator[pa.Table]:
        try:
            for rows, kinds in self._batches(found, file, reading):
                count = len(rows)
                own = {
                    "_object": pa.repeat(pa.scalar(found.key, pa.string()), count),
                    "_etag": pa.repeat(pa.scalar(found.etag, pa.string()), count),
                }
                if found.day is not None:
                    own["_day"] = pa.repeat(pa.scalar(found.day, pa.date32()), count)
                placed = pa.table({**dict(zip(rows.column_names, rows.columns, strict=True)), **own})
                typed = reading.type_rows(placed, kinds, file=found.key, version=found.etag)
                if len(typed) > 0:
                    yield typed
        except BrokenFile as error:
            self._broken.append(found.key)
            self._reject(reading, found, error.line, f"{error.reason}: none of its rows is loaded")

    def _batches(self, found: S3Object, file: Path, reading: Reading) -> Iterator[tuple[pa.Table, dict[str, str]]]:
        ends = (_FORMATS[end] for end in Path(found.key).suffixes if end in _FORMATS)
        kind: str | None = self._table.format or next(ends, None)
        if kind is None:
            raise ConfigurationError(f"{found.key}: its format is not known", hint="set `format` of the table")
        if kind == "parquet":
            yield from read_parquet(file, column_name)
            return
        with plain_bytes(file) as opened:
            for batch in self._texts(kind, opened):
                for line, reason, raw in batch.bad:
                    self._reject(reading, found, line, reason, raw)
                if batch.count:
                    yield batch.table(), batch.column_kinds

    def _texts(self, kind: str, opened: Any) -> Iterator[Batch]:
        if kind == "jsonl":
            return read_json_lines(opened, column_name)
        table = self._table
        dialect = CsvDialect(table.delimiter, table.quote, table.header, table.encoding)
        return read_csv(opened, column_name, dialect)

    @staticmethod
    def _reject(reading: Reading, found: S3Object, line: int, reason: str, raw: bytes = b"") -> None:
        reading.reject(RejectedRow(found.key, found.etag, line, reason, raw))
