"""The total order of the changes of a table.

A change's position is `(epoch, previous commit LSN, LSN or 0 of a snapshot row, rank)`.
Debezium's `sequence[0]` is the commit LSN of the transaction *before* the change's own: it orders transactions by
commit, and the LSN orders changes within one. A snapshot row goes before every change of the transactions that were
open when it was read, because it can't have seen them; of two snapshots between the same commits the later one counts.
A delete and an insert of one key at one LSN are one update: the rank puts the delete first.
"""

from collections.abc import Sequence
from typing import NamedTuple

from connectors.changes.cdc_columns import POSITION


class Position(NamedTuple):
    """Place of a change in the order; compares as a tuple.

    Attributes:
        epoch: The slot epoch.
        prev_commit_lsn: Commit LSN of the transaction before the change's own, 0 if there was none.
        lsn: LSN of the change, 0 of a snapshot row.
        rank: Of a snapshot row the LSN of the snapshot, of a delete 0, else 1.
    """

    epoch: int
    prev_commit_lsn: int
    lsn: int
    rank: int


BEGINNING = Position(1, 0, 0, 0)
"""Nothing lies below it."""


def position_terms(alias: str) -> tuple[str, str, str, str]:
    """Returns the four terms of a row's position, most significant first, as SQL that DuckDB and DataFusion share."""
    epoch, prev, lsn, op = (f"{alias}.{name}" for name in POSITION)
    return (
        epoch,
        prev,
        f"(CASE WHEN {op} = 'r' THEN 0 ELSE {lsn} END)",
        f"(CASE WHEN {op} = 'r' THEN {lsn} WHEN {op} = 'd' THEN 0 ELSE 1 END)",
    )


def is_newer(left: str, right: str) -> str:
    """Returns the SQL condition that the row of alias `left` has a strictly greater position than that of `right`."""
    return _is_greater(position_terms(left), position_terms(right))


def is_below(alias: str, position: Position) -> str:
    """Returns the SQL condition that the row of this alias has a strictly smaller position."""
    return _is_greater([str(term) for term in position], position_terms(alias))


def newest_first(alias: str) -> str:
    """Returns the ORDER BY terms that put the greatest position first."""
    return ", ".join(f"{term} DESC" for term in position_terms(alias))


def _is_greater(left: Sequence[str], right: Sequence[str]) -> str:
    condition = "FALSE"
    for a, b in reversed(list(zip(left, right, strict=True))):
        condition = f"({a} > {b} OR ({a} = {b} AND {condition}))"
    return condition
