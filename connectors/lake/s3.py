"""S3 as a file system for DuckDB."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError
from s3fs import S3FileSystem
from s3fs.core import S3_RETRYABLE_ERRORS


class LakeFiles(S3FileSystem):  # type: ignore[misc] # it comes without types
    """The files of a lake, which never change once they are written: each is looked up once, not for every read."""

    cachable = False
    # The client below it tries five times by itself: tries of tries would let a hung request hang for half an hour.
    retries = 1

    def __init__(self, **options: Any) -> None:
        super().__init__(use_listings_cache=False, **options)
        self._found: dict[str, dict[str, Any]] = {}

    async def _info(self, path: str, *args: Any, **options: Any) -> dict[str, Any]:
        if path not in self._found:
            self._found[path] = await super()._info(path, *args, **options)
        return self._found[path]


@contextmanager
def _os_errors() -> Iterator[None]:
    """Turns what the client raises into what it would raise of a disk; what S3 itself answers is that already."""
    try:
        yield
    except (*S3_RETRYABLE_ERRORS, BotoCoreError) as error:
        raise OSError(str(error)) from error


def folders(uri: str) -> list[str]:
    """Returns the names of the folders right below an address, sorted.

    Raises:
        OSError: S3 refused, or did not answer.
    """
    return sorted(_name(entry) for entry in _listed(uri) if entry["type"] == "directory")


def files(uri: str) -> list[tuple[str, int, datetime]]:
    """Returns name, bytes and time of the objects right below an address.

    Raises:
        OSError: S3 refused, or did not answer.
    """
    return [(_name(o), o["size"], o["LastModified"]) for o in _listed(uri) if o["type"] == "file"]


def _listed(uri: str) -> list[dict[str, Any]]:
    lake = LakeFiles()
    with _os_errors():
        return list(lake.ls(uri, detail=True)) if lake.exists(uri) else []


def _name(entry: dict[str, Any]) -> str:
    return str(entry["name"].rpartition("/")[2])


def remove(uri: str) -> None:
    """Removes everything below an address, if there is anything.

    Raises:
        OSError: S3 refused, or did not answer.
    """
    files = LakeFiles()
    with _os_errors():
        if files.exists(uri):
            files.rm(uri, recursive=True)


def write_bytes(uri: str, content: bytes) -> None:
    """Writes an object.

    Raises:
        OSError: S3 refused, or did not answer.
    """
    with _os_errors():
        LakeFiles().pipe_file(uri, content)


def read_bytes(uri: str) -> bytes | None:
    """Returns what an object holds; None if there is none.

    Raises:
        OSError: S3 refused, or did not answer.
    """
    try:
        with _os_errors():
            return bytes(LakeFiles().cat_file(uri))
    except FileNotFoundError:
        return None
