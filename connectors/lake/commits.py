"""Rows and progress in one commit.

Progress is kept in Delta's `txn` actions. The rule that makes it exact: load a table once, read its progress once,
commit with that same object. Of two writers that started from one version the second fails, reloads, and decides again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random

from connectors.errors import CommitConflict
from connectors.lake.numbers import reached
from connectors.lake.storage import storage_errors

Result = TypeVar("Result")

WRITER = WriterProperties(compression="ZSTD", compression_level=1)
"""How every table of the lake is written."""

REMOVALS = "delta.deletedFileRetentionDuration"
"""Property: so long checkpoints remember which files were removed, each of which makes opening the table slower."""

LIVELY: dict[str, str | None] = {"delta.checkpointInterval": "20", REMOVALS: "interval 24 hours"}
"""Properties of tables that are written to every minute: opening one reads each commit since its checkpoint, twice."""

_ATTEMPTS = 10
_COMMIT_NUMBER = "lakehouse.commit"


def with_progress(progress: Mapping[str, int], *, tries: int | None = None) -> CommitProperties:
    """Returns what makes a commit carry these numbers.

    Args:
        progress: The numbers.
        tries: How often delta-rs may try on top of other commits that it sees no conflict with; None: as it does.
    """
    numbers = [Transaction(name, number) for name, number in progress.items()]
    if tries is None:
        return CommitProperties(app_transactions=numbers)
    return CommitProperties(app_transactions=numbers, max_commit_retries=tries - 1)


@contextmanager
def committing(table: DeltaTable) -> Iterator[None]:
    """Turns what a commit may raise into this library's errors.

    Raises:
        CommitConflict: Another writer committed first.
        ConfigurationError: The storage refuses to be written to.
        ServiceUnavailable: The storage failed; whether the commit was made is to be read from the table.
    """
    try:
        with storage_errors(table.table_uri):
            yield
    except CommitFailedError as error:
        raise CommitConflict(f"{table.table_uri}: another writer committed first: {error}") from error


def commit_progress(table: DeltaTable, schema: pa.Schema, progress: Mapping[str, int]) -> None:
    """Commits numbers alone, for changes that turned out to change no row."""
    with committing(table):
        write_deltalake(table, schema.empty_table(), mode="append", commit_properties=with_progress(progress))


def optimistically(attempt: Callable[[], Result]) -> Result:
    """Reads and commits; where somebody else committed first, reads and commits again.

    Raises:
        CommitConflict: Other writers won every race.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(CommitConflict),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_random(0, 0.2),
        reraise=True,
    )
    return retrying(attempt)


def append_numbered(table: DeltaTable, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
    """Appends rows as the table's next numbered commit: of two writers that read the same state, one fails.

    Raises:
        CommitConflict: Another writer committed first.
    """
    if not rows:
        return
    number = reached(table, _COMMIT_NUMBER)
    progress = with_progress({_COMMIT_NUMBER: 0 if number is None else number + 1})
    with committing(table):
        write_deltalake(
            table, pa.Table.from_pylist(list(rows), schema=schema), mode="append", commit_properties=progress
        )
