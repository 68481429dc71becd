"""The file that dbt builds gold in, and how it replaces the file that readers see.

DuckDB lets one process write a file or many read it. So dbt builds in a copy, and only a build that succeeded is
renamed into place: readers never wait, never fail and never see half a build.
"""

import fcntl
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

import duckdb
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from connectors.errors import TransientError
from connectors.lake.fresh import pin_fresh
from connectors.lake.load_views import PinnedLoad, pin_loads
from connectors.lake.views import SilverSnapshot
from connectors.settings import Settings

TableState = tuple[int, int]
"""What identifies the rows of a table: version of the Delta table, last pending batch; zero: nothing was pending."""

_BUILT_FROM = "main.built_from"

BUSY = "another dbt run is building"
"""What the error says when it is not this run's turn; through dbt it arrives as text only."""


def gold_file(settings: Settings) -> Path:
    """The last complete build of gold; exists once there was one."""
    return settings.home / "gold.duckdb"


def built_states(silver: SilverSnapshot, loads: Sequence[PinnedLoad]) -> dict[str, TableState]:
    """Returns what identifies the rows of each table: its version, and the last pending batch folded in."""
    pending = {str(p.table): (p.version, 0 if p.overlay is None else p.overlay.up_to_batch) for p in silver.tables}
    return {**pending, **{load.name: (load.version, 0) for load in loads}}


def record_states(connection: duckdb.DuckDBPyConnection, catalog: str, states: Mapping[str, TableState]) -> None:
    """Writes into gold which rows of silver it is built from; nothing if that is not true of all of gold."""
    columns = "silver_table VARCHAR, version BIGINT, pending_batch BIGINT"
    connection.execute(f"CREATE OR REPLACE TABLE {catalog}.{_BUILT_FROM} ({columns})")
    for table, state in states.items():
        connection.execute(f"INSERT INTO {catalog}.{_BUILT_FROM} VALUES (?, ?, ?)", [table, *state])


def moved_tables(settings: Settings) -> list[str]:
    """Names the tables that changed since gold was built, all of them if it never was."""
    now = built_states(pin_fresh(settings), pin_loads(settings.lake.root))
    built = _built_from(gold_file(settings))
    return [table for table, state in now.items() if built.get(table) != state]


def _built_from(published: Path) -> dict[str, TableState]:
    if not published.exists():
        return {}
    with duckdb.connect(published, read_only=True) as connection:
        try:
            rows = connection.execute(f"SELECT silver_table, version, pending_batch FROM {_BUILT_FROM}").fetchall()
        except (duckdb.CatalogException, duckdb.BinderException):  # built before this was written down
            return {}
    return {table: (version, pending_batch) for table, version, pending_batch in rows}


class GoldBuild:
    """The copy of gold that one process at a time builds in.

    Args:
        published: The file that readers see.
        wait_seconds: How long a build waits for another one to end.

    Attributes:
        file: The copy.
    """

    def __init__(self, published: Path, *, wait_seconds: float = 600) -> None:
        self._published = published
        self._wait_seconds = wait_seconds
        self._lock: TextIO | None = None
        self.file = published.with_suffix(".next.duckdb")

    def begin(self) -> None:
        """Makes the copy; what an earlier build left unpublished is lost.

        Raises:
            TransientError: Another process is building, and did not end in time.
        """
        if self._lock is None:
            self._lock = self._locked()
        self._remove()
        if self._published.exists():
            shutil.copyfile(self._published, self.file)

    def publish(self) -> None:
        """Puts the copy, which DuckDB must have closed, in place of what readers see."""
        self.file.replace(self._published)
        self._unlock()

    def abandon(self) -> None:
        """Removes the copy; readers go on to see the last complete build."""
        self._remove()
        self._unlock()

    def _locked(self) -> TextIO:
        self._published.parent.mkdir(parents=True, exist_ok=True)
        lock = self._published.with_suffix(".lock").open("w")
        try:
            # The system unlocks what a process leaves, however that ends.
            for attempt in Retrying(
                retry=retry_if_exception_type(BlockingIOError),
                wait=wait_fixed(0.5),
                stop=stop_after_delay(self._wait_seconds),
                reraise=True,
            ):
                with attempt:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise TransientError(f"{BUSY} {self._published}", hint="Wait until it has ended, or end it.") from error
        return lock

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _remove(self) -> None:
        for leftover in (self.file, self.file.with_name(f"{self.file.name}.wal")):
            leftover.unlink(missing_ok=True)
