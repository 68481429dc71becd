"""Schema evolution: what happens to a silver table when its definition changes at the source.

A change is followed where silver's rows stay right without reading the source again. Where the catalogue can't
say, the rows are first compared with the source. Any other change pauses the table, and only it, until a resync.
"""

from dataclasses import dataclass
from typing import Literal

Answer = Literal["followed", "verified", "paused"]


@dataclass(frozen=True)
class Policy:
    """The answer to one kind of change.

    Attributes:
        kind: Name of the change.
        answer: `followed`: silver follows; `verified`: it does after a comparison with the source; `paused`: the
            table is paused until a resync.
        effect: What it means for the rows of silver, or why silver can't follow.
    """

    kind: str
    answer: Answer
    effect: str


POLICIES = {
    policy.kind: policy
    for policy in (
        Policy("column added", "followed", "silver gets the column; older rows have NULL"),
        Policy("column added with a constant", "followed", "silver gets the column; older rows get the constant"),
        Policy(
            "column added with a value per row",
            "paused",
            "older rows hold a constant that silver can't hold, or of a type like bytea, or another one in each "
            "partition",
        ),
        Policy(
            "column name taken",
            "paused",
            "it differs only in letter case from a column of silver, or begins with `_cdc_`. Rename it at the "
            "source first",
        ),
        Policy(
            "column dropped",
            "followed",
            "the column stays, with NULL in rows written from then on; without a primary key, readers see NULL in all "
            "rows",
        ),
        Policy("column came and went", "verified", "events may carry it, and rows were maybe written meanwhile"),
        Policy("column renamed", "paused", "no event says so, and values of the old name would have to move"),
        Policy("column recreated", "paused", "its old values are gone at the source, and no event says so"),
        Policy("type changed, read as before", "followed", "none: values arrive and are stored as before"),
        Policy(
            "type changed, maybe written differently",
            "verified",
            "stored values may read differently from then on, like a cidr that became an inet",
        ),
        Policy("type changed", "paused", "values of the old and the new type look alike in the stream"),
        Policy("NOT NULL set or dropped", "followed", "none: every column of silver is nullable"),
        Policy("default set or dropped", "followed", "none: written rows have their values in the stream"),
        Policy("enum value added", "followed", "none: enums are text"),
        Policy(
            "type altered", "verified", "a label of an enum, or an attribute of a composite type, changed in all rows"
        ),
        Policy("key changed", "paused", "rows are identified differently from then on"),
        Policy("replica identity changed", "verified", "the key stays; unchanged TOAST values may be unknown"),
        Policy(
            "table rewritten",
            "verified",
            "VACUUM FULL changes no value, ALTER TYPE or SET EXPRESSION may change all of them, and no event says so",
        ),
        Policy("partition created", "followed", "none: it was empty, and its rows arrive as they are written"),
        Policy("partition attached or detached", "verified", "its rows came or went with it, and no event says so"),
        Policy("publication altered", "verified", "changes may have been missed until it was restored"),
        Policy(
            "definition touched",
            "verified",
            "the table, a column or the key was renamed or altered, and maybe reverted: what was written between may "
            "have gone elsewhere",
        ),
        Policy("table recreated", "paused", "no event says that the rows of the old table are gone"),
        Policy("table dropped", "followed", "silver stays as it was; no more changes arrive"),
        Policy(
            "table renamed",
            "paused",
            "its changes are missed from then on; `lakehouse source register` captures it under its new name, and the "
            "silver table of the old name stays",
        ),
        Policy(
            "table that stops Debezium",
            "paused",
            "columns that differ only in letter case, or large values that Debezium can't write: it is excluded from "
            "capture, so that the others go on",
        ),
        Policy(
            "partition without identity",
            "paused",
            "its updates and deletes fail, or don't say which row they are of",
        ),
        Policy("table removed from the publication", "paused", "changes are missed from then on"),
        Policy("table added", "followed", "`lakehouse source register` captures it and takes a snapshot of its rows"),
    )
}
