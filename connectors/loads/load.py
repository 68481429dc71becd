"""Loads one table: slice by slice, each extracted, its rejects quarantined, and committed with its progress.

Idempotent: a run that is killed anywhere, run twice, or run at the same time as itself leaves the same table.
"""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from importlib.metadata import version as package_version
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from connectors.failpoints import failpoint
from connectors.lake.commits import optimistically
from connectors.lake.layout import LakeLayout
from connectors.lake.load_table import LoadState, LoadTable, Rows
from connectors.lake.quarantine import quarantine_rows, rejected_files, settle_rows, supersede_rows
from connectors.lake.storage import duckdb_connection
from connectors.lake.views import typed_rows
from connectors.loads.declaration import TableSpec
from connectors.loads.extraction import extract
from connectors.loads.protocol import Done, Slice
from connectors.loads.reading import Facts, Reading
from connectors.loads.registry import open_source
from connectors.loads.reports import LoadReport
from connectors.loads.retyping import follow_types
from connectors.loads.types import column_type, duckdb_type
from connectors.loads.window import Window
from connectors.postgres.identifiers import TableName, quote_literal
from connectors.settings import Settings

_HIDDEN = (("_seq", "BIGINT"), ("_deleted", "BOOLEAN"))
_OWN = {"_object": "text", "_etag": "text", "_row": "bigint", "_day": "date", "_loaded_at": "timestamp"}


@dataclass
class _Account:
    """What a run has committed so far."""

    rows: int = 0
    slices: int = 0
    rejected: int = 0
    new_columns: list[str] = field(default_factory=list)
    facts: Facts = field(default_factory=Facts)

    def add(self, reading: Reading) -> None:
        self.rejected += len(reading.rejected)
        self.facts.read_bytes += reading.facts.read_bytes
        self.facts.consumed_capacity += reading.facts.consumed_capacity
        self.facts.notes += reading.facts.notes


def load_table(
    settings: Settings,
    source: str,
    table: str,
    *,
    window: Window = Window(),  # noqa: B008 - it never changes
    on_slice: Callable[[str, int | None], object] = lambda _label, _size: None,
) -> LoadReport:
    """Loads what is new in one table of a source.

    Args:
        settings: The lake, and where the declaration of the source is.
        source: Name of the source.
        table: Name of the table.
        window: Which days; by default all.
        on_slice: Called before each slice with what it is, and its bytes if they are known.

    Raises:
        CommitConflict: Other loads of the table kept committing first.
        ConfigurationError: There is no such table, or the source refuses.
        ContractMismatch: The table is frozen, and its source has other columns.
        ServiceUnavailable: The source does not answer; what was committed stays.
    """
    began = time.monotonic()
    opened, spec = open_source(settings, source, table)
    account, layout = _Account(), LakeLayout.of(settings)

    def attempt() -> LoadTable:
        lake = LoadTable(layout.load(source, table))
        follow_types(settings, lake, TableName(source, table), spec)
        for part in opened.slices(table, spec, lake.state.progress, window):
            on_slice(part.label, part.size)
            _load_slice(settings, lake, TableName(source, table), spec, part, account)
        objects = lake.state.progress.get("objects")
        if objects is not None:
            versions = {key: identity[0] for key, identity in objects.items()}
            release = package_version("lakehouse-flows")
            supersede_rows(layout, TableName(source, table), versions, version=lake.version, release=release)
        return lake

    lake = optimistically(attempt)
    return LoadReport(
        source=source,
        table=table,
        rows=account.rows,
        commits=account.slices,
        rejected=account.rejected,
        new_columns=tuple(account.new_columns),
        read_bytes=account.facts.read_bytes,
        consumed_capacity=account.facts.consumed_capacity,
        notes=tuple(account.facts.notes),
        version=lake.version,
        seconds=time.monotonic() - began,
    )


def load_days(settings: Settings, source: str, table: str, since: date, until: date) -> int:
    """Loads a range of days of a table again, whatever was loaded of it; returns how many rows it has there.

    Raises:
        ConfigurationError: The table has no days.
        CommitConflict: Other loads of the table kept committing first.
        ServiceUnavailable: The source does not answer.
    """
    return load_table(settings, source, table, window=Window(since, until, again=True)).rows


def replay_load(settings: Settings, source: str, table: str) -> LoadReport:
    """Reads again the objects of which rows are rejected, or a table that has no objects whole.

    Idempotent. After a kill, run it again.

    Raises:
        ConfigurationError: There is no such table, or the source refuses.
        CommitConflict: Other loads of the table kept committing first.
        ServiceUnavailable: The source does not answer.
    """
    files = rejected_files(LakeLayout.of(settings), TableName(source, table))
    return load_table(settings, source, table, window=Window(again=True, files=frozenset(files)))


def _load_slice(
    settings: Settings, lake: LoadTable, name: TableName, spec: TableSpec, part: Slice, account: _Account
) -> None:
    state, salt = lake.state, settings.loads.pii_salt
    known = {column: kind for column, kind in state.columns.items() if column not in _OWN}
    with tempfile.TemporaryDirectory(prefix="lakehouse-load-") as folder, _connection(settings, folder) as connection:
        reading = Reading(connection, spec, known, salt="" if salt is None else salt.get_secret_value())
        (Path(folder) / "dlt").mkdir()
        extracted = extract(
            part.read(reading),
            table=name.name,
            folder=Path(folder) / "dlt",
            schema=state.schema,
            # A column that was declared since is no surprise.
            evolve=spec.new_columns == "evolve" or not set(reading.columns) <= set(known),
        )
        failpoint("load-extracted")
        done = part.done()
        layout = LakeLayout.of(settings)
        quarantine_rows(layout, name, reading.rejected, number=lake.number + 1)
        failpoint("load-quarantined")
        own = _own_columns(extracted.files)
        columns = {**known, **reading.columns, **{c: k for c, k in _OWN.items() if c in own or c in state.columns}}
        columns["_loaded_at"] = _OWN["_loaded_at"]
        rows = _rows(extracted.files, columns, done)
        if rows is None and done.progress == state.progress:
            account.add(reading)
            return
        now = datetime.now(UTC).isoformat()
        lake.write(connection, rows, LoadState(done.progress, columns, extracted.schema, now))
        settle_rows(
            layout,
            name,
            read=None if done.is_whole else done.read,
            rejected=reading.rejected,
            version=lake.version,
            release=package_version("lakehouse-flows"),
        )
        account.add(reading)
        account.slices += 1
        account.rows += _count(extracted.files)
        account.new_columns += sorted(set(reading.columns) - set(known)) if known else []


@contextmanager
def _connection(settings: Settings, folder: str) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb_connection(settings.lake.root) as connection:
        connection.execute("SET temp_directory = ?", [folder])
        yield connection


def _own_columns(files: Iterable[str]) -> set[str]:
    return {name for file in files for name in pq.read_schema(file).names if name in _OWN}


def _rows(files: tuple[str, ...], columns: Mapping[str, str], done: Done) -> Rows | None:
    """What to write; None if nothing is added and nothing replaced."""
    if not files and done.replaced is None:
        return None
    wanted = {name: column_type(kind) for name, kind in columns.items()}
    typed = [(name, duckdb_type(kind)) for name, kind in wanted.items()]
    now = f"TIMESTAMPTZ {quote_literal(datetime.now(UTC).isoformat())}"
    broken = ", ".join(map(quote_literal, done.broken))
    # Of a table that is empty at its source, the columns are not known yet.
    key = done.key if set(done.key) <= set(columns) else ()
    found = typed_rows([*typed, *_HIDDEN] if key else typed, files)
    condition = f"WHERE _object NOT IN ({broken})" if done.broken else ""
    return Rows(
        query=f"SELECT * REPLACE ({now} AS _loaded_at) FROM ({found}) {condition}",
        columns=pa.schema([(name, kind.arrow) for name, kind in wanted.items()]),
        exact=[name for name, kind in wanted.items() if kind.exact_statistics],
        replaced=done.replaced,
        key=key,
    )


def _count(files: Iterable[str]) -> int:
    return sum(pq.read_metadata(file).num_rows for file in files)
