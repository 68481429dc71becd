"""What becomes of a table in the lake when its definition changes at the source.

A change is followed where silver's rows stay right without reading the source again. Any other holds the table, alone,
until it is read anew (`lakehouse resync`).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from connectors.postgres.checks import RESERVED_PREFIX
from connectors.postgres.contracts import ColumnContract, TableContract
from connectors.postgres.types import rule_for

FILLABLE = frozenset(
    {"int2", "int4", "int8", "bool", "float4", "float8", "numeric", "date", "timestamp", "timestamptz"}
    | {"text", "varchar", "bpchar", "name", "uuid", "enum", "json", "jsonb"}
)
"""Types of which a constant that PostgreSQL writes is read as a value that arrives in the stream."""

# Years 1 to 9999, as the rules of these types have it; infinity is none.
_MOMENTS = ("date", "timestamp", "timestamptz")
_MOMENT = re.compile(r"(?!0000)[0-9]{4}-[^B]*")


@dataclass(frozen=True)
class Policy:
    """What is done about one kind of change.

    Attributes:
        kind: Name of the change.
        is_followed: Silver follows by itself; else the table is held.
        effect: What that means for silver's rows, or why it can't follow.
    """

    kind: str
    is_followed: bool
    effect: str


POLICIES = {
    policy.kind: policy
    for policy in (
        Policy("column added", True, "the column is added; rows from before have NULL"),
        Policy("column added with a constant", True, "the column is added; rows from before get the constant"),
        Policy(
            "column added with values of their own",
            False,
            "no event says what rows from before hold; or it is a constant that silver can't hold, or of a type "
            "like bytea",
        ),
        Policy(
            "column name taken",
            False,
            "it differs only in letter case from one that silver has, or begins like ours: no reader tells them apart. "
            "Rename it at the source first",
        ),
        Policy("column dropped", True, "the column stays, with NULL in every row that is written from then on"),
        Policy("column renamed", False, "no event says so; to go on, values of the old name would have to move"),
        Policy("column made anew", False, "its old values are gone at the source, and no event says so"),
        Policy("type changed, read as before", True, "nothing: the values arrive and are kept as they were"),
        Policy("type changed", False, "values of the old and of the new type look alike in the stream"),
        Policy("NOT NULL set or dropped", True, "nothing: any column of silver may be NULL"),
        Policy("enum value added", True, "nothing: enums are text"),
        Policy("key changed", False, "rows are told apart in another way from then on"),
        Policy("replica identity changed", True, "nothing, while the key stays; what a change leaves out is known"),
        Policy("table made anew", False, "no event says that the rows of the old table are gone"),
        Policy("table dropped", True, "the table stays as it was; nothing arrives any more"),
        Policy("table taken from the publication", False, "changes are missed from then on"),
        Policy("table added", True, "`lakehouse source register` captures it and reads the rows that are there"),
    )
}


@dataclass(frozen=True)
class Difference:
    """One change of a table.

    Attributes:
        kind: Name of its policy.
        what: The column, or what became what.
    """

    kind: str
    what: str

    @property
    def is_followed(self) -> bool:
        """Whether silver follows by itself."""
        return POLICIES[self.kind].is_followed

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}" if self.what else self.kind


def differences(old: TableContract, new: TableContract, *, kept: Iterable[str] = ()) -> list[Difference]:
    """Returns how a table's definition changed; `kept` are columns that silver has besides, of earlier definitions."""
    return list(_differences(old, new, {*kept, *(c.name for c in old.columns)}))


def is_taken(name: str, names: Iterable[str]) -> bool:
    """Whether readers of the lake would take a column for another one, or for one of ours."""
    return name.startswith(RESERVED_PREFIX) or any(n != name and n.lower() == name.lower() for n in names)


def is_fillable(column: ColumnContract) -> bool:
    """Whether silver can hold the constant that rows from before a column have, and read it."""
    rule = rule_for(column)
    if column.fill is None or rule is None or column.type_name not in FILLABLE:
        return False
    if column.type_name in _MOMENTS:
        return _MOMENT.fullmatch(column.fill) is not None
    return not (pa.types.is_decimal(rule.arrow) and column.fill == "NaN")


def with_dropped(versions: Sequence[TableContract]) -> TableContract:
    """Returns the newest of several contracts, oldest first, with the columns that were dropped behind its own."""
    *older, newest = versions
    dropped: dict[str, ColumnContract] = {}
    for contract in older:
        dropped |= {c.name: c.model_copy(update={"nullable": True}) for c in contract.columns}
    kept = {c.name for c in newest.columns}
    columns = (*newest.columns, *(c for name, c in dropped.items() if name not in kept))
    return newest.model_copy(update={"columns": columns})


def _differences(old: TableContract, new: TableContract, kept: set[str]) -> Iterator[Difference]:
    if old.oid != new.oid:
        yield Difference("table made anew", "")
        return
    before, after = ({c.number: c for c in contract.columns} for contract in (old, new))
    renamed = {n: (before[n].name, c.name) for n, c in after.items() if n in before and before[n].name != c.name}
    yield from (Difference("column renamed", f"{was} -> {now}") for was, now in renamed.values())
    # A key whose column was only renamed is the same key.
    key = tuple(dict(renamed.values()).get(name, name) for name in old.key)
    if key != new.key:
        yield Difference("key changed", f"{', '.join(old.key) or 'none'} -> {', '.join(new.key) or 'none'}")
    if old.replica_identity != new.replica_identity:
        yield Difference("replica identity changed", f"{old.replica_identity} -> {new.replica_identity}")
    for number in before.keys() & after.keys():
        yield from _changes_of(before[number], after[number])
    gone = {c.name for n, c in before.items() if n not in after}
    come = [c for n, c in after.items() if n not in before]
    names = kept | {c.name for c in new.columns}
    yield from (
        Difference("column name taken" if is_taken(c.name, names) else _kind_of_added(c, gone), c.name) for c in come
    )
    yield from (Difference("column dropped", name) for name in sorted(gone - {c.name for c in come}))


def _changes_of(old: ColumnContract, new: ColumnContract) -> Iterator[Difference]:
    if (old.type_name, old.precision, old.scale) != (new.type_name, new.precision, new.scale):
        same = rule_for(old) == rule_for(new) is not None
        yield Difference("type changed, read as before" if same else "type changed", new.name)
    if old.nullable != new.nullable:
        yield Difference("NOT NULL set or dropped", new.name)


def _kind_of_added(column: ColumnContract, gone: set[str]) -> str:
    if column.name in gone:
        return "column made anew"
    if not column.fill_known or (column.fill is not None and not is_fillable(column)):
        return "column added with values of their own"
    return "column added" if column.fill is None else "column added with a constant"
