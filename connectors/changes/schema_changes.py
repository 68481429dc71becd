"""Schema changes: the differences between two contracts of a table, and their columns taken together."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from connectors.changes.policies import POLICIES, Answer
from connectors.postgres.checks import RESERVED_PREFIX
from connectors.postgres.contracts import ColumnContract, Fingerprint, TableContract
from connectors.postgres.types import rule_for

FILLABLE = frozenset(
    {"int2", "int4", "int8", "bool", "float4", "float8", "numeric", "date", "timestamp", "timestamptz"}
    | {"text", "varchar", "bpchar", "name", "uuid", "enum", "json", "jsonb"}
)
"""Types whose constants, as PostgreSQL writes them, read like values in the stream."""

# Years 1 to 9999, as the rules of these types have it; infinity is none.
_MOMENTS = ("date", "timestamp", "timestamptz")
_CAREFUL: tuple[Answer, ...] = ("followed", "verified", "paused")
# `typtype` of an enum.
_ENUM = "/e"
# PostgreSQL takes the value of one for that of the other as it is, and writes both alike.
_TEXTS = frozenset({"text", "varchar"})
_MOMENT = re.compile(r"(?!0000)[0-9]{4}-[^B]*")


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
    def answer(self) -> Answer:
        """What is done about it."""
        return POLICIES[self.kind].answer

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}" if self.what else self.kind


def differences(old: TableContract, new: TableContract, *, kept: Iterable[str] = ()) -> list[Difference]:
    """Returns how a table's definition changed; `kept` are columns that silver has besides, of earlier definitions."""
    return list(_differences(old, new, {*kept, *(c.name for c in old.columns)}))


def answer_to(found: Iterable[Difference]) -> Answer:
    """What is done about a table with several changes: of each, the most careful answer."""
    return max((difference.answer for difference in found), key=_CAREFUL.index, default="followed")


def with_memory(contract: TableContract, known: TableContract) -> TableContract:
    """Returns a contract with what the catalogue forgets, and what is true of the table all the same.

    What rows from before a column hold is gone when the table is rewritten; events from before the column are still to
    be read. Values that were moved out of line stay there whatever becomes of the column's storage.
    """
    before = {(c.number, c.name): c for c in known.columns}
    columns = []
    for column in contract.columns:
        was = before.get((column.number, column.name), column)
        kept = {"fill": was.fill, "fill_known": was.fill_known, "toastable": was.toastable or column.toastable}
        columns.append(column.model_copy(update=kept))
    return contract.model_copy(update={"columns": tuple(columns)})


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
        yield Difference("table recreated", "")
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
    for number in sorted(before.keys() & after.keys()):
        yield from _changes_of(before[number], after[number])
    gone = {c.name for n, c in before.items() if n not in after}
    come = [c for n, c in after.items() if n not in before]
    names = kept | {c.name for c in new.columns}
    yield from (
        Difference("column name taken" if is_taken(c.name, names) else _kind_of_added(c, gone), c.name) for c in come
    )
    yield from (Difference("column dropped", name) for name in sorted(gone - {c.name for c in come}))
    yield from _unseen(old, new, added=len(come))


def _unseen(old: TableContract, new: TableContract, *, added: int) -> Iterator[Difference]:
    """Differences that only the fingerprints show."""
    was, now = old.fingerprint, new.fingerprint
    if was is None or now is None:
        if was != now:
            yield Difference("definition touched", "an earlier release recorded less of it")
        return
    found = [*_of_members(old, was, now), *_of_types(was, now)]
    if was.publication != now.publication:
        found.append(Difference("publication altered", ""))
    columns = {c.number: c for c in old.columns}
    for column in new.columns:
        number = column.number
        if number in columns and was.defaults.get(number) != now.defaults.get(number):
            found.append(Difference("default set or dropped", column.name))
        elif columns.get(number) == column and was.modifiers.get(number) != now.modifiers.get(number):
            # As of a varchar, of which the contract knows no length; where its values change, the table is rewritten.
            found.append(Difference("type changed, read as before", column.name))
        # Where the contracts differ, the alteration is reported already.
        elif columns.get(number) == column and was.columns.get(number) != now.columns.get(number):
            found.append(Difference("definition touched", column.name))
    if now.width - was.width != added:
        found.append(Difference("column came and went", ""))
    if was.row_type != now.row_type or any(
        was.indexes[oid] != now.indexes[oid] for oid in was.indexes.keys() & now.indexes.keys()
    ):
        found.append(Difference("definition touched", ""))
    yield from found


def _of_members(old: TableContract, was: Fingerprint, now: Fingerprint) -> Iterator[Difference]:
    before, after = ({m.oid: m for m in f.members} for f in (was, now))
    both = before.keys() & after.keys()
    if any(before[oid].file != after[oid].file for oid in both):
        yield Difference("table rewritten", "")
    if any(before[oid].identity != after[oid].identity for oid in both - {old.oid}):
        yield Difference("replica identity changed", "of a partition")
    added = [after[oid] for oid in after.keys() - both]
    if both != before.keys() or any(before[oid].attached != after[oid].attached for oid in both):
        yield Difference("partition attached or detached", "")
    elif added:
        # Without a key, it may have lacked the full identity for a while, and its deletes said too little.
        born = old.key and all(member.born for member in added)
        yield Difference("partition created" if born else "partition attached or detached", "")


def _of_types(was: Fingerprint, now: Fingerprint) -> Iterator[Difference]:
    """Differences of types that are used before and after; that a column got another type is reported by column."""
    for type_name in sorted(was.types.keys() & now.types.keys()):
        before, after = set(was.types[type_name]), set(now.types[type_name])
        if before < after and type_name.endswith(_ENUM):
            yield Difference("enum value added", "")
        elif before != after:
            yield Difference("type altered", "")


def _changes_of(old: ColumnContract, new: ColumnContract) -> Iterator[Difference]:
    if (old.type_name, old.precision, old.scale) != (new.type_name, new.precision, new.scale):
        yield Difference(_kind_of_type_change(old, new), new.name)
    if old.nullable != new.nullable:
        yield Difference("NOT NULL set or dropped", new.name)
    if old.toastable != new.toastable:
        yield Difference("definition touched", new.name)


def _kind_of_type_change(old: ColumnContract, new: ColumnContract) -> str:
    if rule_for(old) is None or rule_for(old) != rule_for(new):
        return "type changed"
    alike = old.type_name == new.type_name or {old.type_name, new.type_name} <= _TEXTS
    return "type changed, read as before" if alike else "type changed, maybe written differently"


def _kind_of_added(column: ColumnContract, gone: set[str]) -> str:
    if column.name in gone:
        return "column recreated"
    if not column.fill_known or (column.fill is not None and not is_fillable(column)):
        return "column added with a value per row"
    return "column added" if column.fill is None else "column added with a constant"
