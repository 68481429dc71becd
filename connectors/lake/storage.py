"""One way to open, create and read tables, in a folder and on S3."""

import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError


def is_remote(root: str) -> bool:
    """Whether the lake is on object storage instead of in a folder."""
    return "://" in root


def storage_options(root: str) -> dict[str, str]:
    """What delta-rs needs besides the usual `AWS_*` variables, which it reads by itself."""
    if not is_remote(root):
        return {}
    plain_http = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    return {"AWS_ALLOW_HTTP": "true"} if plain_http else {}


def open_table(uri: str) -> DeltaTable | None:
    """Opens a Delta table at its newest version; None if there is none."""
    try:
        return DeltaTable(uri, storage_options=storage_options(uri))
    except TableNotFoundError:
        return None


def ensure_table(
    uri: str,
    schema: pa.Schema,
    *,
    partition_by: Sequence[str] = (),
    configuration: Mapping[str, str | None] | None = None,
) -> DeltaTable:
    """Opens a Delta table, created empty if there is none.

    Created empty, because two first writers that both create and append would both succeed.
    """
    found = open_table(uri)
    if found is not None:
        return found
    try:
        return DeltaTable.create(
            uri,
            schema,
            mode="error",
            partition_by=list(partition_by),
            configuration=dict(configuration or {}),
            storage_options=storage_options(uri),
        )
    except (CommitFailedError, DeltaError, OSError):
        # Somebody else may have created it meanwhile; if not, the first error stands.
        found = open_table(uri)
        if found is None:
            raise
        return found


def delete_table(uri: str) -> None:
    """Removes a table, with all its files and versions, if there is one."""
    if is_remote(uri):
        import s3fs  # noqa: PLC0415 - as above

        filesystem = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)
        if filesystem.exists(uri):
            filesystem.rm(uri, recursive=True)
    else:
        shutil.rmtree(uri, ignore_errors=True)


def data_files(uri: str, table: DeltaTable) -> list[dict[str, Any]]:
    """Returns the live files of a table's version: delta-rs's add actions, with `path` absolute and not encoded."""
    actions: list[dict[str, Any]] = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    return [{**action, "path": f"{uri}/{unquote(action['path'])}"} for action in actions]


def duckdb_connection(root: str, database: str = ":memory:", *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Opens DuckDB so that it reads files of the lake, in UTC, without any extension to download."""
    connection = duckdb.connect(database, read_only=read_only)
    configure_connection(connection, root)
    return connection


def configure_connection(connection: duckdb.DuckDBPyConnection, root: str) -> None:
    """Makes a DuckDB connection as `duckdb_connection` does, where somebody else opened it."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET autoinstall_known_extensions = false")
    if is_remote(root):
        # Imported here: only lakes on object storage need it, and it takes half a second.
        import s3fs  # noqa: PLC0415

        connection.register_filesystem(s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True))
