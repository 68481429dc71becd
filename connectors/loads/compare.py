"""Compares a loaded table with its source, read again: each row as often as it should be there."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from connectors.lake.layout import LakeLayout
from connectors.lake.load_table import LoadState, read_load_state
from connectors.lake.load_views import pin_load
from connectors.lake.storage import duckdb_connection
from connectors.lake.views import typed_rows
from connectors.loads.protocol import Done, Slice
from connectors.loads.reading import Reading
from connectors.loads.registry import open_source
from connectors.loads.types import column_type, duckdb_type
from connectors.loads.window import Window
from connectors.postgres.identifiers import quote_identifier, quote_literal
from connectors.settings import Settings


@dataclass(frozen=True)
class LoadComparison:
    """How a table compares with its source.

    Attributes:
        table: Source and table.
        source_rows: Rows of the source, without those that can't be read.
        lake_rows: Rows of the table.
        rejected: Rows of the source that can't be read.
        source_checksum: Of all values of all rows, whatever their order.
        lake_checksum: The same.
        missing: Rows that the lake lacks.
        extra: Rows that only the lake has.
    """

    table: str
    source_rows: int
    lake_rows: int
    rejected: int
    source_checksum: str
    lake_checksum: str
    missing: int
    extra: int

    @property
    def mismatches(self) -> int:
        """How many rows differ."""
        return self.missing + self.extra


def compare_load(settings: Settings, source: str, table: str) -> LoadComparison:
    """Reads a table of a source again, all of it, and compares it with the lake.

    Not compared are objects that were deleted and are kept in the lake, and those that can't be read any more.

    Raises:
        ConfigurationError: There is no such table, or the source refuses.
        ServiceUnavailable: The source does not answer.
    """
    opened, spec = open_source(settings, source, table)
    state = read_load_state(LakeLayout.of(settings).load(source, table)) or LoadState()
    own = {name: kind for name, kind in state.columns.items() if name != "_loaded_at"}
    salt = settings.loads.pii_salt
    with (
        tempfile.TemporaryDirectory(prefix="lakehouse-compare-") as folder,
        duckdb_connection(settings.lake.root) as connection,
    ):
        connection.execute("SET temp_directory = ?", [folder])
        known = {name: kind for name, kind in own.items() if not name.startswith("_")}
        reading = Reading(connection, spec, known, salt="" if salt is None else salt.get_secret_value())
        files, dones = _read(opened.slices(table, spec, {}, Window(again=True)), reading, Path(folder))
        own |= reading.columns  # the source may have columns, and all of them, that the lake does not have yet
        if not own:
            return LoadComparison(f"{source}.{table}", 0, 0, len(reading.rejected), "", "", 0, 0)
        _create(connection, "theirs", own, files, dones)
        pinned = pin_load(settings.lake.root, source, table)
        _create(connection, "ours", own, [] if pinned is None else list(pinned.files), [])
        if "_object" in own:
            there = ", ".join(quote_literal(key) for done in dones for key in done.read)
            connection.execute(f"DELETE FROM ours WHERE NOT list_contains([{there}]::VARCHAR[], _object)")
        return _compare(connection, f"{source}.{table}", own, rejected=len(reading.rejected))


def _read(slices: Iterator[Slice], reading: Reading, folder: Path) -> tuple[list[str], list[Done]]:
    files, dones = [], []
    for number, part in enumerate(slices):
        file = folder / f"{number}"
        for n, rows in enumerate(part.read(reading)):
            pq.write_table(rows, f"{file}-{n}.parquet")
            files.append(f"{file}-{n}.parquet")
        dones.append(part.done())
    return files, dones


def _create(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    columns: dict[str, str],
    files: Sequence[str],
    dones: Sequence[Done],
) -> None:
    """Makes a table of rows, each column of its type; of several rows of one key the last."""
    typed = [(column, duckdb_type(column_type(kind))) for column, kind in columns.items()]
    key = next((done.key for done in dones if set(done.key) <= set(columns)), ())
    broken = ", ".join(quote_literal(key) for done in dones for key in done.broken)
    rest = f"WHERE _object NOT IN ({broken})" if broken else ""
    if key:
        names = ", ".join(map(quote_identifier, key))
        typed += [("_seq", "BIGINT"), ("_deleted", "BOOLEAN")]
        rest = f"QUALIFY row_number() OVER (PARTITION BY {names} ORDER BY _seq DESC) = 1 AND NOT _deleted"
    chosen = ", ".join(map(quote_identifier, columns))
    connection.execute(f"CREATE TEMP TABLE {name} AS SELECT {chosen} FROM ({typed_rows(typed, files)}) {rest}")


def _compare(
    connection: duckdb.DuckDBPyConnection, table: str, columns: dict[str, str], *, rejected: int
) -> LoadComparison:
    names = ", ".join(map(quote_identifier, columns))

    def summary(of: str) -> tuple[int, str]:
        [(count, checksum)] = connection.execute(
            f"SELECT count(*), coalesce(sum(hash(({names}))::HUGEINT), 0)::VARCHAR FROM {of}"
        ).fetchall()
        return int(count), f"{int(checksum) % 2**24:06x}"

    def left(one: str, other: str) -> int:
        query = f"SELECT count(*) FROM (FROM {one} EXCEPT ALL FROM {other})"
        return int(connection.execute(query).fetchall()[0][0])

    theirs, ours = summary("theirs"), summary("ours")
    missing, extra = left("theirs", "ours"), left("ours", "theirs")
    return LoadComparison(table, theirs[0], ours[0], rejected, theirs[1], ours[1], missing, extra)
