"""DuckDB views of the tables that batch loads write, pinned at one version each: `shop_s3.clickstream`."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from connectors.lake.layout import LakeLayout
from connectors.lake.storage import data_files, folders, open_table
from connectors.lake.views import duckdb_columns, typed_rows
from connectors.postgres.identifiers import quote_identifier


@dataclass(frozen=True)
class PinnedLoad:
    """One table at one version.

    Attributes:
        source: Name of its source.
        table: Its name.
        version: Version of the Delta table.
        files: Addresses of the data files that make up this version.
        columns: Names of all columns with their DuckDB types, in order.
    """

    source: str
    table: str
    version: int
    files: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """Source and table: `shop_s3.clickstream`."""
        return f"{self.source}.{self.table}"

    @property
    def rows(self) -> str:
        """Query of all rows."""
        return typed_rows(self.columns, self.files)


def pin_loads(root: str) -> tuple[PinnedLoad, ...]:
    """Opens every table that was ever loaded, once, and remembers what it holds now."""
    found = (pin_load(root, source, table) for source, table in loaded_tables(root))
    return tuple(pinned for pinned in found if pinned is not None)


def loaded_tables(root: str) -> list[tuple[str, str]]:
    """Returns source and name of every table that a load ever began to write."""
    captured = set(folders(f"{root}/bronze"))
    # Captured tables lie in folders of their schemas; what has a `~` is a copy of such.
    sources = (name for name in folders(f"{root}/silver") if name not in captured and "~" not in name)
    return [(source, table) for source in sources for table in folders(f"{root}/silver/{source}")]


def pin_load(root: str, source: str, table: str) -> PinnedLoad | None:
    """Opens one table that was loaded; None if it never was."""
    uri = LakeLayout(root, source).load(source, table)
    opened = open_table(uri)
    if opened is None:
        return None
    files = tuple(file["path"] for file in data_files(uri, opened))
    return PinnedLoad(source, table, opened.version(), files, duckdb_columns(opened))


def register_loads(connection: duckdb.DuckDBPyConnection, loads: Sequence[PinnedLoad]) -> None:
    """Creates a view per table, in a schema per source."""
    for pinned in loads:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_identifier(pinned.source)}")
        name = f"{quote_identifier(pinned.source)}.{quote_identifier(pinned.table)}"
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS {pinned.rows}")
