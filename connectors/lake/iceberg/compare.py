"""Whether an Iceberg table shows what its Delta table does: rows and checksums, by three readers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deltalake import DeltaTable
from deltalake.schema import PrimitiveType

from connectors.errors import ConfigurationError
from connectors.lake.iceberg.catalogs import open_catalog
from connectors.lake.storage import data_files, duckdb_connection, storage_options
from connectors.lake.views import duckdb_type, typed_rows
from connectors.postgres.identifiers import quote_identifier
from connectors.settings import Settings

if TYPE_CHECKING:
    import duckdb
    from pyiceberg.table import Table


@dataclass(frozen=True)
class Count:
    """What one reader found.

    Attributes:
        reader: Which one.
        rows: How many rows.
        checksum: Sum of the hashes of all rows, whatever their order.
    """

    reader: str
    rows: int
    checksum: str


def compare_readers(settings: Settings, uri: str, identifier: tuple[str, str]) -> list[Count]:
    """Reads an Iceberg table in two ways, and the version of the Delta table that it mirrors.

    Columns of partitions are left out of the middle one: they are not in the files.

    Raises:
        ConfigurationError: The table was never mirrored.
    """
    target = _mirrored(settings, identifier)
    version = int(target.properties["lakehouse.delta-version"])
    delta = DeltaTable(uri, version=version, storage_options=storage_options(uri))
    partitions = set(delta.metadata().partition_columns)
    columns = [
        # What is nested is compared as text.
        (field.name, duckdb_type(delta, field.type) if isinstance(field.type, PrimitiveType) else "VARCHAR")
        for field in delta.schema().fields
        if field.name not in partitions
    ]
    live = [file["path"] for file in data_files(uri, delta)]
    planned = [task.file.file_path.removeprefix("file://") for task in target.scan().plan_files()]
    with duckdb_connection(settings.lake.root) as connection:
        found = [
            _count(connection, f"Delta, version {version}", columns, typed_rows(columns, live)),
            _count(connection, "DuckDB, the files in Iceberg's manifests", columns, typed_rows(columns, planned)),
        ]
        connection.register("scanned", target.scan().to_arrow_batch_reader())
        casts = ", ".join(
            f"CAST({quote_identifier(name)} AS {kind}) AS {quote_identifier(name)}" for name, kind in columns
        )
        found.append(_count(connection, "pyiceberg", columns, f"SELECT {casts} FROM scanned"))
    return found


def _mirrored(settings: Settings, identifier: tuple[str, str]) -> "Table":
    from pyiceberg.exceptions import NoSuchTableError  # noqa: PLC0415 - an extra

    try:
        return open_catalog(settings).load_table(identifier)
    except NoSuchTableError as error:
        name = ".".join(identifier)
        raise ConfigurationError(f"there is no Iceberg table {name}", hint="run `lakehouse iceberg mirror`") from error


def _count(connection: "duckdb.DuckDBPyConnection", reader: str, columns: list[tuple[str, str]], rows: str) -> Count:
    hashed = ", ".join(quote_identifier(name) for name, _ in columns)
    query = f"SELECT count(*), coalesce(sum(hash({hashed})::HUGEINT), 0)::VARCHAR FROM ({rows})"
    [(count, checksum)] = connection.execute(query).fetchall()
    return Count(reader, count, checksum)
