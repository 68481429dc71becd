"""The ledger: the status of every partition of every target, in an append-only table of the lake.

Each row carries its partition's next number, also as progress of its commit: of two writers that read the same state
of a partition one wins and the other reads again. A run leases a partition, and renews the lease: what a
killed run leased is free soon, without anybody noticing its death.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from connectors.backfill.entry import Entry, State
from connectors.backfill.partitions import Partition
from connectors.errors import CommitConflict
from connectors.lake.commits import committing, optimistically, with_progress
from connectors.lake.storage import ensure_table, open_table, read_rows

_COMPACT_EVERY = 20

_MOMENT = pa.timestamp("us", tz="UTC")
_SCHEMA = pa.schema(
    [
        pa.field("target", pa.string(), nullable=False),
        pa.field("partition", pa.string(), nullable=False),
        pa.field("number", pa.int64(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
        pa.field("recorded_at", _MOMENT, nullable=False),
        pa.field("attempt", pa.int64(), nullable=False),
        pa.field("start", _MOMENT),
        pa.field("end", _MOMENT),
        pa.field("run", pa.string()),
        pa.field("started_at", _MOMENT),
        pa.field("ended_at", _MOMENT),
        pa.field("lease_until", _MOMENT),
        pa.field("rows", pa.int64()),
        pa.field("error", pa.string()),
    ]
)


def _now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """The partitions of one target.

    Args:
        uri: Address of the table.
        target: Name of the target.
        lease: For how long a run holds a partition, unless it renews.
        clock: Returns the time.
    """

    def __init__(self, uri: str, target: str, *, lease: timedelta, clock: Callable[[], datetime] = _now) -> None:
        self._uri = uri
        self._target = target
        self.lease = lease
        self.clock = clock

    def entries(self) -> dict[str, Entry]:
        """The newest entry of each partition that was ever planned, by key."""
        table = open_table(self._uri)
        return {} if table is None else self._read(table)

    def plan(self, partitions: Iterable[Partition], *, force: bool = False) -> dict[str, Entry]:
        """Records as planned what was not yet, and returns the newest entry of every partition.

        Args:
            partitions: The partitions of the range.
            force: Plan those, too, that are done. Those that a run is at stay with it.

        Raises:
            CommitConflict: Other writers kept committing first.
        """
        wanted = list(partitions)

        def attempt() -> dict[str, Entry]:
            table, now = self._open(), self.clock()
            known = self._read(table)
            planned = [
                self._next(known.get(p.key), p, State.PLANNED, now)
                for p in wanted
                if p.key not in known or (force and known[p.key].state is State.DONE)
            ]
            self._append(table, planned)
            return {p.key: known[p.key] for p in wanted if p.key in known} | {e.partition: e for e in planned}

        return optimistically(attempt)

    def claim(self, partition: Partition, *, run: str) -> Entry:
        """Begins a partition; returns its entry as it is, if it is done already or another run is at it.

        Raises:
            CommitConflict: Other writers kept committing first.
        """

        def attempt() -> Entry:
            table, now = self._open(), self.clock()
            last = self._read(table, partition.key).get(partition.key)
            if last is not None and (last.state is State.DONE or last.is_held(now)):
                return last
            entry = replace(
                self._next(last, partition, State.RUNNING, now),
                attempt=1 if last is None else last.attempt + 1,
                run=run,
                started_at=now,
                lease_until=now + self.lease,
            )
            self._append(table, [entry])
            return entry

        return optimistically(attempt)

    def renew(self, held: Entry) -> Entry:
        """Holds a partition for longer.

        Raises:
            CommitConflict: Another run took it over.
        """
        return self._follow(held, lease_until=self.clock() + self.lease)

    def finish(self, held: Entry, *, rows: int) -> Entry:
        """Records that a partition is done.

        Raises:
            CommitConflict: Another run took it over.
        """
        return self._follow(held, state=State.DONE, rows=rows, ended_at=self.clock(), lease_until=None)

    def fail(self, held: Entry, error: str) -> Entry:
        """Records that a partition failed.

        Raises:
            CommitConflict: Another run took it over.
        """
        return self._follow(held, state=State.FAILED, error=error, ended_at=self.clock(), lease_until=None)

    def give_up(self, partition: Partition, *, attempt: int, error: str) -> Entry:
        """Records that an attempt ended without an outcome; returns the entry there is if it did not.

        Raises:
            CommitConflict: Other writers kept committing first.
        """

        def try_once() -> Entry:
            table, now = self._open(), self.clock()
            last = self._read(table, partition.key).get(partition.key)
            if last is not None and (last.state is State.DONE or last.attempt > attempt):
                return last
            if last is not None and last.attempt == attempt and last.state is State.FAILED:
                return last
            entry = self._next(last, partition, State.FAILED, now)
            entry = replace(entry, attempt=attempt, error=error, ended_at=now)
            self._append(table, [entry])
            return entry

        return optimistically(try_once)

    def _follow(self, held: Entry, **changes: Any) -> Entry:
        table = self._open()
        last = self._read(table, held.partition).get(held.partition)
        if last is None or last.number != held.number:
            raise CommitConflict(f"{held.target} {held.partition}: another run took it over")
        entry = replace(held, number=held.number + 1, recorded_at=self.clock(), **changes)
        self._append(table, [entry])
        return entry

    def _open(self) -> DeltaTable:
        return ensure_table(self._uri, _SCHEMA, partition_by=["target"])

    def _read(self, table: DeltaTable, partition: str | None = None) -> dict[str, Entry]:
        where = {"target": self._target} if partition is None else {"target": self._target, "partition": partition}
        newest: dict[str, Entry] = {}
        for row in read_rows(table, where):
            entry = Entry(**{**row, "state": State(row["state"])})
            if entry.partition not in newest or newest[entry.partition].number < entry.number:
                newest[entry.partition] = entry
        return newest

    def _next(self, last: Entry | None, partition: Partition, state: State, now: datetime) -> Entry:
        return Entry(
            target=self._target,
            partition=partition.key,
            number=1 if last is None else last.number + 1,
            state=state,
            recorded_at=now,
            attempt=0 if last is None else last.attempt,
            start=partition.start,
            end=partition.end,
        )

    def _append(self, table: DeltaTable, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        progress = with_progress({f"{e.target}/{e.partition}": e.number for e in entries})
        rows = pa.Table.from_pylist([{**asdict(e), "state": str(e.state)} for e in entries], schema=_SCHEMA)
        with committing(table):
            write_deltalake(table, rows, mode="append", commit_properties=progress)
        if table.version() % _COMPACT_EVERY == 0:
            # Who comes second may leave it to the first.
            with suppress(CommitConflict), committing(table):
                table.optimize.compact()
