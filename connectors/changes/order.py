"""The total order of the changes of a table.

A change's position is `(epoch, previous commit LSN, LSN or 0 of a snapshot row, 0 of a delete else 1)`.
Debezium's `sequence[0]` is the commit LSN of the transaction *before* the change's own: it orders transactions by
commit, and the LSN orders changes within one. A snapshot row goes before every change of the transactions that were
open when it was read, because it can't have seen them. A delete and an insert of one key at one LSN are one update.
"""

POSITION = ("_cdc_epoch", "_cdc_prev_commit_lsn", "_cdc_lsn", "_cdc_op")


def position_terms(alias: str) -> tuple[str, str, str, str]:
    """Returns the four terms of a row's position, most significant first, as SQL that DuckDB and DataFusion share."""
    epoch, prev, lsn, op = (f"{alias}.{name}" for name in POSITION)
    return (
        epoch,
        prev,
        f"(CASE WHEN {op} = 'r' THEN 0 ELSE {lsn} END)",
        f"(CASE WHEN {op} = 'd' THEN 0 ELSE 1 END)",
    )


def is_newer(left: str, right: str) -> str:
    """Returns the SQL condition that the row of alias `left` has a strictly greater position than that of `right`."""
    condition = "FALSE"
    for a, b in reversed(list(zip(position_terms(left), position_terms(right), strict=True))):
        condition = f"({a} > {b} OR ({a} = {b} AND {condition}))"
    return condition


def newest_first(alias: str) -> str:
    """Returns the ORDER BY terms that put the greatest position first."""
    return ", ".join(f"{term} DESC" for term in position_terms(alias))
