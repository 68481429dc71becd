"""The formats of files: rows of texts from CSV, JSON lines and Parquet, plain or compressed, in bounded memory."""

import csv
import gzip
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from connectors.loads.batch import Batch
from connectors.loads.reading import LONGEST_RAW
from connectors.loads.types import kind_of

LONGEST_ROW = 16 * 1024 * 1024
"""Bytes that a row of a text file may have."""

_PARQUET_ROWS = 20_000
_CHUNK = 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"

csv.field_size_limit(sys.maxsize)  # rows are bounded here, by their bytes


class BrokenFile(Exception):
    """A file can't be read on, or not at all.

    Args:
        reason: Why.
        line: How far it could be read.
    """

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


@contextmanager
def plain_bytes(file: Path) -> Iterator[BinaryIO]:
    """Opens a file, decompressed if it begins like gzip or zstd, whatever it is called."""
    with file.open("rb") as raw:
        start = raw.read(4)
        raw.seek(0)
        if start.startswith(_GZIP):
            with gzip.open(raw) as opened:
                yield cast(BinaryIO, opened)
        elif start == _ZSTD:
            with pa.CompressedInputStream(raw, "zstd") as opened:
                yield cast(BinaryIO, opened)
        else:
            yield raw


def bounded_lines(opened: BinaryIO) -> Iterator[tuple[int, bytes | None, bytes]]:
    """Yields number, bytes with their end, and beginning of each line; no bytes for one that is too long.

    Raises:
        BrokenFile: The compressed bytes end too early, or are damaged; or the file is not UTF-8.
    """
    number, length = 0, 0
    parts: list[bytes] = []  # of a line that goes on in the next chunk
    for piece in _pieces(opened):
        length += len(piece)
        if length <= LONGEST_ROW or not parts:
            parts.append(piece[:LONGEST_ROW])
        if piece.endswith(b"\n"):
            number += 1
            yield _line(number, parts, length)
            parts, length = [], 0
    if parts:
        yield _line(number + 1, parts, length)


def _line(number: int, parts: list[bytes], length: int) -> tuple[int, bytes | None, bytes]:
    whole = b"".join(parts)
    return number, whole if length <= LONGEST_ROW else None, whole[:LONGEST_RAW]


def _pieces(opened: BinaryIO) -> Iterator[bytes]:
    """Yields lines, those that a chunk cuts in pieces; without a byte order mark."""
    lines, first = 0, True
    while True:
        try:
            chunk = opened.read(_CHUNK)
        except (EOFError, OSError, zlib.error) as error:
            raise BrokenFile(f"the compressed file is damaged: {error}", lines) from error
        if not chunk:
            return
        if first:
            if (encoding := _OTHER_BOMS.get(chunk[:2])) is not None:
                raise BrokenFile(f"the file is {encoding}, not UTF-8")
            chunk, first = chunk.removeprefix(_BOM), False
        # After line feeds only: a carriage return may stand within a row.
        pieces = chunk.splitlines(keepends=True) if b"\r" not in chunk else _split(chunk)
        lines += chunk.count(b"\n")
        yield from pieces


def _split(chunk: bytes) -> list[bytes]:
    pieces = [piece + b"\n" for piece in chunk.split(b"\n")]
    last = pieces.pop()[:-1]
    return [*pieces, last] if last else pieces


def read_json_lines(opened: BinaryIO, name_of: Callable[[str], str]) -> Iterator[Batch]:
    """Yields rows of a file with one JSON object per line; numbers stay the texts that they are.

    Args:
        opened: The file.
        name_of: The name of a column for that of a field.

    Raises:
        BrokenFile: It can't be read on.
    """
    decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
    text = msgspec.json.Decoder(str)
    names: dict[str, str] = {}
    batch = Batch()
    for number, line, start in bounded_lines(opened):
        if line is None:
            batch.bad.append((number, f"the line has more than {LONGEST_ROW:,} bytes", start))
            continue
        if not line.strip():
            continue
        try:
            row: dict[str, str | None] = {}
            kinds: dict[str, str] = {}
            for key, raw in decoder.decode(line).items():
                name = names.get(key)
                if name is None:
                    name = names[key] = name_of(key)
                if name in row:
                    raise ValueError(f"two fields are column {name}")  # noqa: TRY301 - of this row, as all the others
                value, kind = _json_value(bytes(raw), text)
                row[name] = value
                if kind is not None:
                    kinds[name] = kind
        except (msgspec.DecodeError, ValueError) as error:
            batch.bad.append((number, f"it is no JSON object: {error}", start))
            continue
        batch.add_line(number, line[:LONGEST_RAW], row, kinds)
        if batch.full:
            yield batch
            batch = Batch()
    yield batch


def _json_value(raw: bytes, text: msgspec.json.Decoder[str]) -> tuple[str | None, str | None]:
    """A value as text, and what type it is; of an object or a list its JSON."""
    match raw[:1]:
        case b'"':
            value = text.decode(raw)
            value.encode()  # a lone surrogate is no text
            return value, "text"
        case b"n":
            return None, None
        case b"{" | b"[":
            msgspec.json.decode(raw)  # only skipped until now
            return raw.decode(), "json"
        case b"t" | b"f":
            return raw.decode(), "boolean"
    number = raw.decode()
    return number, "bigint" if number.lstrip("-").isdigit() and len(number) <= 18 else "double"


@dataclass(frozen=True)
class CsvDialect:
    """How a CSV file is written.

    Attributes:
        delimiter: Between fields.
        quote: Around them.
        header: Names of the columns; None: the first line has them.
        encoding: Of the texts.
    """

    delimiter: str = ","
    quote: str = '"'
    header: tuple[str, ...] | None = None
    encoding: str = "utf-8"


class _Records:
    """The lines of a CSV file for Python's reader, which asks for as many as a record has."""

    def __init__(self, opened: BinaryIO, encoding: str) -> None:
        self._lines = bounded_lines(opened)
        self._encoding = encoding
        self._back: list[tuple[int, bytes | None, bytes]] = []
        self._size = 0
        self.taken: list[tuple[int, bytes | None, bytes]] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._back.pop() if self._back else next(self._lines)
        self.taken.append(line)
        self._size += len(line[2])
        if line[1] is None or self._size > LONGEST_ROW:
            raise csv.Error(f"the row has more than {LONGEST_ROW:,} bytes")
        return line[1].decode(self._encoding, "surrogateescape")

    def put_back_all_but_first(self) -> None:
        """Lets the record begin again at its second line."""
        self._back += reversed(self.taken[1:])
        self.taken = self.taken[:1]

    def record(self) -> tuple[int, bytes]:
        """Line and bytes of the record that was taken last; the next one begins."""
        line, raw = self.taken[0][0], b"".join(start for _, _, start in self.taken)
        self.taken, self._size = [], 0
        return line, raw


def read_csv(opened: BinaryIO, name_of: Callable[[str], str], dialect: CsvDialect) -> Iterator[Batch]:
    """Yields rows of a CSV file, all values as texts; an empty one is NULL.

    A row with more or fewer fields than there are columns is rejected, up to the end of its first line: a quote that is
    never closed must not take the rows behind it along.

    Raises:
        BrokenFile: It can't be read on, or its header is wrong.
    """
    records = _Records(opened, dialect.encoding)
    header = [name_of(name) for name in dialect.header or ()]
    batch = Batch()
    reader = csv.reader(records, delimiter=dialect.delimiter, quotechar=dialect.quote, strict=True)
    while True:
        try:
            fields = next(reader)
            problem = None if not header else _problem(fields, header)
        except StopIteration:
            break
        except csv.Error as error:
            fields, problem = [], str(error)
            reader = csv.reader(records, delimiter=dialect.delimiter, quotechar=dialect.quote, strict=True)
        if not fields and problem is None:
            records.record()  # an empty line
            continue
        if problem is not None:
            records.put_back_all_but_first()
        line, raw = records.record()
        if problem is not None:
            batch.bad.append((line, problem, raw))
        elif not header:
            header = _header(fields, name_of)
        else:
            values = {n: v or None for n, v in zip(header, fields, strict=True)}
            batch.add_line(line, raw[:LONGEST_RAW], values, {})
        if batch.full:
            yield batch
            batch = Batch()
    yield batch


def _header(fields: list[str], name_of: Callable[[str], str]) -> list[str]:
    names = [name_of(name.strip()) if name.strip() else "" for name in fields]
    if "" in names or len(set(names)) < len(names):
        raise BrokenFile(f"the header is to have distinct names, and has {', '.join(fields)[:200]}", 1)
    return names


def _problem(fields: list[str], header: list[str]) -> str | None:
    if not fields:
        return None
    if len(fields) != len(header):
        return f"it has {len(fields)} fields, and the header {len(header)}"
    for name, value in zip(header, fields, strict=True):
        if "\0" in value:
            return f"column {name} has a NUL byte"
        if not value.isascii() and any("\udc80" <= c <= "\udcff" for c in value):
            return f"column {name} is not in the file's encoding"
    return None


def read_parquet(file: Path, name_of: Callable[[str], str]) -> Iterator[tuple[pa.Table, dict[str, str]]]:
    """Yields the rows of a Parquet file, and what type each column has.

    Raises:
        BrokenFile: It is none, or damaged.
    """
    number = 0
    try:
        with pq.ParquetFile(file) as opened:
            names = [name_of(name) for name in opened.schema_arrow.names]
            if len(set(names)) < len(names):
                raise BrokenFile(f"two columns have the same name: {', '.join(names)[:200]}")
            for batch in opened.iter_batches(batch_size=_PARQUET_ROWS):
                columns: dict[str, Any] = {"_row": pa.array(range(number + 1, number + 1 + len(batch)), pa.int64())}
                columns["_raw"] = pa.nulls(len(batch), pa.binary())
                columns |= dict(zip(names, batch.columns, strict=True))
                number += len(batch)
                yield pa.table(columns), {name: kind_of(columns[name].type) for name in names}
    except (pa.ArrowException, OSError) as error:
        raise BrokenFile(f"the Parquet file is damaged: {error}", number) from error
