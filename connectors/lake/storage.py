"""One way to open, create and read tables, in a folder and on S3."""

import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, QueryBuilder
from deltalake._internal import DeltaFileSystemHandler  # what deltalake.fs wraps
from deltalake.exceptions import DeltaError, TableNotFoundError

from connectors.errors import ConfigurationError, LakehouseError, ServiceUnavailable
from connectors.interrupts import raise_interrupt
from connectors.postgres.identifiers import quote_identifier, quote_literal

# What is wrong with the storage comes as text only: delta-rs has one class for it, and DuckDB keeps nothing of what its
# file system raised but the traceback.
# "Invalid table version" is a listing of the log that lacked a file which was there.
_OF_STORAGE = re.compile(
    r"Generic \w+ error|Error performing|Object Store error|local directory|Local path|Invalid table version"
)
_REFUSALS = re.compile(
    r"lacked the necessary privileges|lacked valid authentication|PermissionError|ExpiredToken|InvalidToken"
    r"|NoCredentialsError|[Bb]ucket does not exist|incorrectly configured region"
    r"|Could not create local directory|PermissionDenied|Permission denied|Read-only file system"
)
_RETRY_SECONDS = 60
_ANY_SIZE = 2**40
_READERS = 16


def is_remote(root: str) -> bool:
    """Whether the lake is on object storage instead of in a folder."""
    return "://" in root


def storage_options(root: str) -> dict[str, str]:
    """What delta-rs needs besides the usual `AWS_*` variables, which it reads by itself."""
    if not is_remote(root):
        return {}
    # By default a request takes 30 s at the most, and is tried again for three minutes.
    options = {"retry_timeout": f"{_RETRY_SECONDS}s"}
    if attempts := os.environ.get("AWS_MAX_ATTEMPTS"):
        options["max_retries"] = str(int(attempts) - 1)
    if os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        options["AWS_ALLOW_HTTP"] = "true"
    return options


@contextmanager
def storage_errors(where: str) -> Iterator[None]:
    """Turns what delta-rs and DuckDB raise when storage fails into this library's errors.

    Raises:
        ConfigurationError: The storage refuses, or is not there.
        ServiceUnavailable: It did not answer, or not to the end; read the table to see whether a commit was made.
    """
    try:
        yield
    except (DeltaError, OSError, duckdb.Error, pa.ArrowException, RuntimeError) as error:
        raise_interrupt(error)
        if not _is_of_storage(error):
            raise
        raise _storage_error(where, error) from error


def open_table(uri: str) -> DeltaTable | None:
    """Opens a Delta table at its newest version; None if there is none."""
    with storage_errors(uri):
        try:
            return DeltaTable(uri, storage_options=storage_options(uri))
        except TableNotFoundError as error:
            if _REFUSALS.search(str(error)):
                raise
            return None


def ensure_table(
    uri: str,
    schema: pa.Schema,
    *,
    partition_by: Sequence[str] = (),
    configuration: Mapping[str, str | None] | None = None,
    description: str | None = None,
) -> DeltaTable:
    """Opens a Delta table, created empty if there is none.

    Created empty, because two first writers that both create and append would both succeed.
    """
    found = open_table(uri)
    if found is not None:
        return found
    with storage_errors(uri):
        try:
            return DeltaTable.create(
                uri,
                schema,
                mode="error",
                partition_by=list(partition_by),
                description=description,
                configuration=dict(configuration or {}),
                raise_if_key_not_exists=False,
                storage_options=storage_options(uri),
                # Who comes second must not create it once more, on top of the first.
                commit_properties=CommitProperties(max_commit_retries=0),
            )
        except (DeltaError, OSError):
            # Somebody else may have created it meanwhile, or we did and the answer was lost; else the error stands.
            found = open_table(uri)
            if found is None:
                raise
            return found


def delete_table(uri: str) -> None:
    """Removes a table, with all its files and versions, if there is one."""
    if not is_remote(uri):
        shutil.rmtree(uri, ignore_errors=True)
        return
    from connectors.lake.s3 import remove  # noqa: PLC0415 - as below

    with storage_errors(uri):
        remove(uri)


def write_file(uri: str, content: bytes) -> None:
    """Writes a small file beside a table; readers see the old one or the new one."""
    with storage_errors(uri):
        if is_remote(uri):
            from connectors.lake.s3 import write_bytes  # noqa: PLC0415 - only lakes on object storage need it

            write_bytes(uri, content)
            return
        path = Path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        # What a kill leaves of it, vacuum takes for an orphan: no dot in front.
        new = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        try:
            with new.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)


def read_file(uri: str) -> bytes | None:
    """Returns what a small file holds; None if it is not there."""
    with storage_errors(uri):
        if is_remote(uri):
            from connectors.lake.s3 import read_bytes  # noqa: PLC0415 - as above

            return read_bytes(uri)
        return _read_local(Path(uri))


def read_log(table: DeltaTable, names: Sequence[str]) -> list[bytes | None]:
    """Returns what files of a table's log hold, in this order; None for one that is not there.

    On object storage by delta-rs's own connections, one request each.
    """
    log = f"{_address_of(table)}/_delta_log"
    with storage_errors(log):
        if not is_remote(log):
            return [_read_local(Path(log, name)) for name in names]
        paths = [f"_delta_log/{name}" for name in names]
        # Without sizes it would ask for the size of each, and hold Python's lock meanwhile.
        files = DeltaFileSystemHandler.from_table(table._table, None, dict.fromkeys(paths, _ANY_SIZE))
        with ThreadPoolExecutor(_READERS) as pool:
            return list(pool.map(lambda path: _read_remote(files, path), paths))


def _address_of(table: DeltaTable) -> str:
    """Where a table is; delta-rs encodes addresses, and adds a slash."""
    uri = table.table_uri.rstrip("/")
    return unquote(uri.removeprefix("file://")) if uri.startswith("file://") else uri


def _read_local(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _read_remote(files: Any, path: str) -> bytes | None:
    try:
        return bytes(files.open_input_file(path).read())
    except FileNotFoundError:
        return None


def remove_file(uri: str) -> None:
    """Removes a small file, if it is there."""
    if not is_remote(uri):
        Path(uri).unlink(missing_ok=True)
        return
    from connectors.lake.s3 import remove  # noqa: PLC0415 - as above

    with storage_errors(uri):
        remove(uri)


def folders(uri: str) -> list[str]:
    """Returns the names of the folders right below an address, sorted; none if it is not there."""
    if not is_remote(uri):
        folder = Path(uri)
        return sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []
    from connectors.lake import s3  # noqa: PLC0415 - as above

    with storage_errors(uri):
        return s3.folders(uri)


@dataclass(frozen=True)
class StoredFile:
    """A file as storage lists it: its name, its bytes, when it was written last."""

    name: str
    size: int
    modified_at: datetime


def list_files(uri: str) -> list[StoredFile]:
    """Returns the files right below an address, by name; none if it is not there."""
    if not is_remote(uri):
        files = list(_local_files(Path(uri)))
    else:
        from connectors.lake import s3  # noqa: PLC0415 - as above

        with storage_errors(uri):
            files = [StoredFile(*entry) for entry in s3.files(uri)]
    return sorted(files, key=attrgetter("name"))


def _local_files(folder: Path) -> Iterator[StoredFile]:
    for entry in os.scandir(folder) if folder.is_dir() else ():
        with suppress(FileNotFoundError):  # somebody may be cleaning up
            if entry.is_file():
                stat = entry.stat()
                yield StoredFile(entry.name, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC))


def data_files(uri: str, table: DeltaTable) -> list[dict[str, Any]]:
    """Returns the live files of a table's version: delta-rs's add actions, with `path` absolute and not encoded."""
    with storage_errors(uri):
        actions: list[dict[str, Any]] = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    return [{**action, "path": f"{uri}/{unquote(action['path'])}"} for action in actions]


def read_rows(table: DeltaTable, where: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Returns the rows of a small table.

    delta-rs reads them itself. Through pyarrow's datasets its files would be Python objects, which threads close when
    they get to it: a process that ends meanwhile is aborted.

    Args:
        table: The table, at any version.
        where: The values that columns of text have in these rows.

    Raises:
        ServiceUnavailable: The storage did not answer, or not to the end.
    """
    conditions = "".join(f" AND {quote_identifier(k)} = {quote_literal(v)}" for k, v in (where or {}).items())
    with storage_errors(table.table_uri):
        found = QueryBuilder().register("t", table).execute(f"SELECT * FROM t WHERE true{conditions}")
        rows: list[dict[str, Any]] = pa.table(found).to_pylist()
    return rows


@contextmanager
def duckdb_connection(root: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Opens DuckDB so that it reads files of the lake, in UTC, without any extension to download.

    Raises:
        ConfigurationError: The storage refuses, or is not there.
        ServiceUnavailable: It did not answer, or not to the end.
    """
    with storage_errors(root), duckdb.connect() as connection:
        configure_connection(connection, root)
        yield connection


@contextmanager
def scratch_connection(root: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Opens DuckDB as `duckdb_connection` does, for temporary tables and views only: all others are everybody's.

    Opening an instance takes 15 ms, and a merge needs several connections: they share one, where the lake is a folder.

    Raises:
        ConfigurationError: The storage refuses, or is not there.
        ServiceUnavailable: It did not answer, or not to the end.
    """
    if is_remote(root):
        with duckdb_connection(root) as connection:
            yield connection
    else:
        with storage_errors(root), _instance(os.getpid()).cursor() as connection:
            configure_connection(connection, root)
            yield connection


@cache
def _instance(_process: int) -> duckdb.DuckDBPyConnection:
    """One DuckDB for all of a process; a forked one needs its own."""
    return duckdb.connect()


def configure_connection(connection: duckdb.DuckDBPyConnection, root: str) -> None:
    """Makes a DuckDB connection as `duckdb_connection` does, where somebody else opened it."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET autoinstall_known_extensions = false")
    if is_remote(root):
        # Imported here: only lakes on object storage need it, and it takes half a second.
        from connectors.lake.s3 import LakeFiles  # noqa: PLC0415

        connection.register_filesystem(LakeFiles())


def _is_of_storage(error: Exception) -> bool:
    if isinstance(error, duckdb.Error):
        # What DuckDB's file system raised is of the base class alone, as nothing else is.
        return type(error) is duckdb.Error or isinstance(error, duckdb.IOException)
    return isinstance(error, OSError) or _OF_STORAGE.search(str(error)) is not None


def _storage_error(where: str, error: Exception) -> LakehouseError:
    text = str(error)
    if isinstance(error, PermissionError) or _REFUSALS.search(text):
        return ConfigurationError(
            f"{where}: the storage refuses: {_gist(text)}",
            hint="check that the bucket or folder exists, that AWS_REGION is its region, "
            "and that these credentials or this user may read and write there",
        )
    return ServiceUnavailable(
        f"{where}: the storage failed: {_gist(text)}",
        hint="try again; if it stays so, check that the storage can be reached from here, and with which credentials",
    )


def _gist(text: str) -> str:
    """What an error says, on one line: without the arrows of delta-rs, without the traceback within DuckDB's."""
    statement, _, _ = text.partition("\n\nLINE ")
    if statement.startswith("Traceback"):
        return statement.strip().splitlines()[-1]
    return re.sub(r"\s*\n\s*(\x1b\[\d+m↳\x1b\[0m\s*)?", ": ", statement.strip())
