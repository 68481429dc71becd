"""Compares one table of the source with its silver table.

Both sides sum up their rows by themselves; only of buckets that differ do keys and digests travel, in the
order of their md5, so memory stays flat whatever the size of the table and however much of it differs.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple, cast

import duckdb
import psycopg

from connectors.postgres.contracts import TableContract
from connectors.quality.checksums import Checksums, silver_checksums, source_checksums
from connectors.quality.reports import TableComparison

ROWS_PER_BUCKET = 128
MOST_BUCKETS = 16_384
FETCH_ROWS = 10_000
LABEL_CHARACTERS = 60
NO_ROWS = "(SELECT 1 WHERE false)"

Source = psycopg.Connection[Any]
Buckets = dict[int, tuple[int, int]]


class KeySum(NamedTuple):
    """What one side says of one key.

    Attributes:
        match: md5 of the key; without a primary key, of the whole row.
        rows: Rows of that key.
        digest: Sum of their digests.
        label: The key's values as text, or a sample of the row.
    """

    match: str
    rows: int
    digest: int
    label: tuple[str | None, ...]


class Difference(NamedTuple):
    """A key on which the two sides differ; None: the side has no such key."""

    source: KeySum | None
    silver: KeySum | None

    @property
    def surplus(self) -> int:
        """How many rows silver has too many."""
        return (self.silver.rows if self.silver else 0) - (self.source.rows if self.source else 0)

    @property
    def kind(self) -> str:
        """What is wrong with silver."""
        return "extra" if self.surplus > 0 else "missing" if self.surplus < 0 else "different"

    @property
    def either(self) -> KeySum:
        """One of the sides, the source's if there is one."""
        return cast(KeySum, self.source or self.silver)


def compare_table(
    contract: TableContract,
    *,
    source: Source,
    lake: duckdb.DuckDBPyConnection,
    relation: str | None,
    named: int = 10,
) -> TableComparison:
    """Compares one table.

    Args:
        contract: The table's contract, as the source's catalogue has it now.
        source: Connection within the transaction whose snapshot counts.
        lake: Connection with `canonical.register_macros`.
        relation: The rows that readers of silver see; None: there is no silver table.
        named: How many of the differing keys are named.
    """
    relation = NO_ROWS if relation is None else relation
    stored = {row[0]: row[1] for row in lake.execute(f"DESCRIBE SELECT * FROM {relation} AS r").fetchall()}
    sides = _Sides(
        source, lake, source_checksums(contract), silver_checksums(contract, relation=relation, stored=stored)
    )
    silver_rows = int(lake.execute(sides.silver.row_count()).fetchall()[0][0])
    count = max(1, min(MOST_BUCKETS, silver_rows // ROWS_PER_BUCKET))
    theirs, ours = sides.buckets(count)
    mismatches, first = 0, list[Difference]()
    for difference in sides.differences(count, {bucket for bucket, _ in theirs.items() ^ ours.items()}):
        mismatches += abs(difference.surplus) or 1
        if len(first) < named:
            first.append(difference)
    columns = sides.differing_columns([found.either.match for found in first if found.kind == "different"])
    return TableComparison(
        table=contract.table,
        source_rows=sum(rows for rows, _ in theirs.values()),
        silver_rows=silver_rows,
        mismatches=mismatches,
        keys=tuple(_name(difference, contract.key, columns) for difference in first),
    )


def differences(source: Iterable[KeySum], silver: Iterable[KeySum]) -> Iterator[Difference]:
    """Merges two streams, each in the order of `match` and without a repetition, into what differs."""
    tagged = heapq.merge(
        (("source", key) for key in source), (("silver", key) for key in silver), key=lambda pair: pair[1].match
    )
    for _, pairs in groupby(tagged, key=lambda pair: pair[1].match):
        sides = dict(pairs)
        found = Difference(sides.get("source"), sides.get("silver"))
        if (
            found.source is None
            or found.silver is None
            or (found.source.rows, found.source.digest) != (found.silver.rows, found.silver.digest)
        ):
            yield found


@dataclass(frozen=True)
class _Sides:
    """The two engines, and what to ask them."""

    postgres: Source
    duckdb: duckdb.DuckDBPyConnection
    source: Checksums
    silver: Checksums

    def buckets(self, count: int) -> tuple[Buckets, Buckets]:
        """Rows and sum of digests by bucket, of source and silver."""
        theirs = self.postgres.execute(self.source.buckets(count)).fetchall()
        return _buckets(theirs), _buckets(self.duckdb.execute(self.silver.buckets(count)).fetchall())

    def differences(self, count: int, buckets: set[int]) -> Iterator[Difference]:
        """What differs in some buckets."""
        if buckets:
            theirs = self._stream_source(self.source.rows(count, buckets))
            yield from differences(theirs, self._stream_silver(self.silver.rows(count, buckets)))

    def differing_columns(self, matches: list[str]) -> dict[str, list[str]]:
        """Names of the columns that differ, by key."""
        if not matches:
            return {}
        theirs = dict(self.postgres.execute(self.source.columns(matches)).fetchall())
        ours = dict(self.duckdb.execute(self.silver.columns(matches)).fetchall())
        return {
            match: [
                name
                for name, one, other in zip(self.source.texts, theirs[match], ours[match], strict=True)
                if one != other
            ]
            for match in matches
        }

    def _stream_source(self, statement: str) -> Iterator[KeySum]:
        with self.postgres.cursor(name="reconcile") as cursor:
            cursor.itersize = FETCH_ROWS
            for match, rows, digest, label in cursor.execute(statement):
                yield KeySum(match, int(rows), int(digest), tuple(label))

    def _stream_silver(self, statement: str) -> Iterator[KeySum]:
        self.duckdb.execute(statement)
        while batch := self.duckdb.fetchmany(FETCH_ROWS):
            for match, rows, digest, label in batch:
                yield KeySum(match, int(rows), int(digest), tuple(label))


def _buckets(rows: Iterable[tuple[Any, ...]]) -> Buckets:
    return {int(bucket): (int(count), int(digest)) for bucket, count, digest in rows}


def _name(difference: Difference, key: tuple[str, ...], columns: dict[str, list[str]]) -> str:
    either = difference.either
    if not key:
        return f"{difference.kind} row {either.match[:12]} {either.label[0]}"
    values = (value if value is None else value[:LABEL_CHARACTERS] for value in either.label)
    named = ", ".join(f"{name}={value}" for name, value in zip(key, values, strict=True))
    changed = columns.get(either.match)
    return f"{difference.kind} {named}" + (f" in {', '.join(changed)}" if changed else "")
