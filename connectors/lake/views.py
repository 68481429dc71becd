"""DuckDB views of silver, pinned at one version per table.

DuckDB reads the data files itself: its `delta` extension would have to be downloaded, and Arrow's scanner
rejects merged files, in which one column comes in two string types.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.schema import PrimitiveType

from connectors.changes.order import Position, is_below
from connectors.errors import ConfigurationError, ContractMismatch
from connectors.lake.contract_log import ContractVersion, contract_versions
from connectors.lake.layout import LakeLayout, view_name
from connectors.lake.storage import data_files, open_table
from connectors.postgres.contracts import TableContract
from connectors.postgres.identifiers import TableName, quote_identifier, quote_literal

SCHEMA = "silver"
"""Schema of the views."""

PENDING_SCHEMA = "_pending"
"""Schema of the rows that the views show in place of silver's own."""

_TYPES = {
    "boolean": "BOOLEAN",
    "byte": "TINYINT",
    "short": "SMALLINT",
    "integer": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "binary": "BLOB",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "timestamp_ntz": "TIMESTAMP",
}


@dataclass(frozen=True)
class Overlay:
    """What the pending changes of a table make of it: merged on read.

    Attributes:
        rows: The rows that a merge would write, as silver has them; those of a table with a key take the place of
            silver's own.
        key: Names of the key's columns; none: the rows are added to a history.
        low_watermark: Silver's own rows below it are gone; None: none are.
        up_to_batch: The last bronze batch that is in it.
    """

    rows: pa.Table
    key: tuple[str, ...]
    low_watermark: Position | None
    up_to_batch: int


@dataclass(frozen=True)
class PinnedTable:
    """One silver table at one version.

    Attributes:
        table: The source table.
        version: Version of the Delta table.
        files: Addresses of the data files that make up this version.
        columns: Names of all columns with their DuckDB types, in order.
        dropped: Those that the source has no more.
        overlay: What its pending changes make of it; None: as it was merged.
    """

    table: TableName
    version: int
    files: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    dropped: frozenset[str] = frozenset()
    overlay: Overlay | None = None

    @property
    def is_history(self) -> bool:
        """Whether the table is an append-only history, because its source has no key."""
        return any(name == "_cdc_weight" for name, _ in self.columns)

    @property
    def views(self) -> dict[str, str]:
        """The table's views: name and query."""
        name = view_name(self.table)
        return {name: self.current, **({f"{name}__history": self.rows()} if self.is_history else {})}

    @property
    def current(self) -> str:
        """Query of the rows that the source has."""
        if self.is_history:
            return self._current_of_history()
        return f"SELECT * FROM ({self.rows()}) WHERE NOT _cdc_deleted"

    def rows(self) -> str:
        """Query of all rows, each column exactly of its declared type, also where a file, or every file, lacks it."""
        rows = typed_rows(self.columns, self.files)
        if self.overlay is None:
            return rows
        kept, key, low_watermark = ["TRUE"], self.overlay.key, self.overlay.low_watermark
        if key:
            same = " AND ".join(f"pending.{name} = stored.{name}" for name in map(quote_identifier, key))
            kept.append(f"NOT EXISTS (SELECT 1 FROM {self.pending} AS pending WHERE {same})")
            if low_watermark is not None:
                kept.append(f"NOT {is_below('stored', low_watermark)}")
        typed = ((quote_identifier(name), kind) for name, kind in self.columns)
        pending = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in typed)
        stored = f"SELECT * FROM ({rows}) AS stored WHERE {' AND '.join(kept)}"
        return f"{stored} UNION ALL SELECT {pending} FROM {self.pending}"

    @property
    def pending(self) -> str:
        """Name of the table of the overlay's rows, in a connection where the views are registered."""
        return f"{PENDING_SCHEMA}.{quote_identifier(view_name(self.table))}"

    def _current_of_history(self) -> str:
        """Query of the rows that came into being more often than they went away, each as often as it is left over.

        A row that was deleted after a column was dropped does not say what it had there: nobody knows which rows are
        left by their values in it.
        """
        own = [(name, kind) for name, kind in self.columns if not name.startswith("_cdc_")]
        values = ", ".join(
            f"CAST(NULL AS {kind}) AS {quote_identifier(name)}" if name in self.dropped else quote_identifier(name)
            for name, kind in own
        )
        live = ((quote_identifier(name), kind) for name, kind in own if name not in self.dropped)
        bits = exact_groups(name for name, kind in live if kind in ("FLOAT", "DOUBLE"))
        rows = f"SELECT {values}{bits}, sum(_cdc_weight)::BIGINT AS _cdc_count FROM ({self.rows()}) GROUP BY ALL"
        named = ", ".join(f"counted.{quote_identifier(name)}" for name, _ in own)
        return f"SELECT {named} FROM ({rows} HAVING _cdc_count > 0) AS counted, range(_cdc_count)"


@dataclass(frozen=True)
class SilverSnapshot:
    """Silver tables of one source, each pinned at one version."""

    tables: tuple[PinnedTable, ...]

    @property
    def versions(self) -> dict[str, int]:
        """Version that each table is pinned at."""
        return {str(pinned.table): pinned.version for pinned in self.tables}


def pin_silver(root: str, source: str, tables: Iterable[TableName] | None = None) -> SilverSnapshot:
    """Opens silver tables of a source once each and remembers what it holds now.

    A reader that takes longer than the vacuum retention loses the files.

    Args:
        root: The lake's root.
        source: Name of the source.
        tables: Which tables; by default all that were ever captured; one that was never written is skipped.
    """
    layout = LakeLayout(root, source)
    versions = contract_versions(layout)
    return SilverSnapshot(tuple(_pin(layout, versions if tables is None else tables, versions)))


def typed_rows(columns: Iterable[tuple[str, str]], files: Sequence[str]) -> str:
    """Returns the query of the rows of files, each column of exactly one type, also where files lack it.

    Args:
        columns: Names of the columns with their DuckDB types.
        files: Addresses of the files; none: there are no rows.
    """
    named = [(quote_identifier(name), kind) for name, kind in columns]
    rows = f"SELECT {', '.join(f'CAST(NULL AS {kind}) AS {name}' for name, kind in named)} WHERE false"
    if files:
        listed = ", ".join(map(quote_literal, files))
        rows += f" UNION ALL BY NAME FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
    return f"SELECT {', '.join(f'CAST({name} AS {kind}) AS {name}' for name, kind in named)} FROM ({rows})"


def duckdb_columns(table: DeltaTable) -> tuple[tuple[str, str], ...]:
    """Returns the names of all columns of a table with their DuckDB types, in order."""
    return tuple((field.name, duckdb_type(table, field.type)) for field in table.schema().fields)


def exact_groups(floats: Iterable[str]) -> str:
    """Returns what to group by besides the columns, of which these are floats, to keep -0.0 apart from 0.0."""
    return "".join(f", {name}::VARCHAR" for name in floats)


def register_views(connection: duckdb.DuckDBPyConnection, snapshot: SilverSnapshot) -> None:
    """Creates a view per table in schema `silver`; of an append-only history two, of its current rows and of itself.

    Raises:
        ConfigurationError: Two tables would have views of the same name.
    """
    taken: dict[str, TableName] = {}
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    for pinned in snapshot.tables:
        register_overlay(connection, pinned)
        for name, query in pinned.views.items():
            other = taken.setdefault(name.casefold(), pinned.table)
            if other != pinned.table:
                raise ConfigurationError(
                    f"tables {other} and {pinned.table} would both be read as {SCHEMA}.{name}",
                    hint="Leave one of them out of LAKEHOUSE_CDC__TABLES, or rename it.",
                )
            connection.execute(f"CREATE OR REPLACE VIEW {SCHEMA}.{quote_identifier(name)} AS {query}")


def register_overlay(connection: duckdb.DuckDBPyConnection, pinned: PinnedTable) -> None:
    """Creates the table of a pinned table's overlay, where it has one."""
    if pinned.overlay is not None:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {PENDING_SCHEMA}")
        connection.register("overlay_rows", pinned.overlay.rows)
        connection.execute(f"CREATE OR REPLACE TABLE {pinned.pending} AS FROM overlay_rows")
        connection.unregister("overlay_rows")


def pin_table(name: TableName, uri: str, table: DeltaTable, contract: TableContract | None = None) -> PinnedTable:
    """Pins an opened silver table; its newest contract says which of its columns were dropped."""
    columns = duckdb_columns(table)
    files = tuple(file["path"] for file in data_files(uri, table))
    live = {c.name for c in contract.columns} if contract else {name for name, _ in columns}
    dropped = frozenset(name for name, _ in columns if name not in live and not name.startswith("_cdc_"))
    return PinnedTable(name, table.version(), files, columns, dropped)


def _pin(
    layout: LakeLayout, names: Iterable[TableName], versions: Mapping[TableName, Sequence[ContractVersion]]
) -> Iterator[PinnedTable]:
    for name in sorted(names):
        uri = layout.silver(name)
        table = open_table(uri)
        if table is not None:
            known = versions.get(name)
            yield pin_table(name, uri, table, known[-1].contract if known else None)


def duckdb_type(table: DeltaTable, delta_type: object) -> str:
    """Returns DuckDB's name of the type of a table's column.

    Raises:
        ContractMismatch: It is one that the lake never writes.
    """
    known = delta_type.type if isinstance(delta_type, PrimitiveType) else ""
    if known.startswith("decimal("):
        return known.upper()
    if known not in _TYPES:
        raise ContractMismatch(f"{table.table_uri} has a column of type {delta_type}, which is never written")
    return _TYPES[known]
