"""What a change of a table's columns means: what silver follows by itself, and what holds the table."""

import pytest

from connectors.changes.evolution import Difference, differences, with_dropped
from connectors.postgres.contracts import ColumnContract, TableContract

ID = ColumnContract(name="id", type_name="int4", nullable=False, number=1)
NAME = ColumnContract(name="name", type_name="varchar", number=2)
AT = ColumnContract(name="at", type_name="timestamp", precision=3, number=3)


def table(*columns, key=("id",), **more):
    return TableContract(schema_name="public", table_name="t", columns=columns or (ID, NAME, AT), key=key, **more)


def changed(column, **update):
    return column.model_copy(update=update)


NEW = ColumnContract(name="new", type_name="int4", number=4)
CASES = {
    "column added": (table(ID, NAME, AT, NEW), "new"),
    "column added with a constant": (table(ID, NAME, AT, changed(NEW, fill="7")), "new"),
    "column added with values of their own": (table(ID, NAME, AT, changed(NEW, fill_known=False)), "new"),
    "column name taken": (table(ID, NAME, AT, changed(NEW, name="Name")), "Name"),
    "column dropped": (table(ID, AT), "name"),
    "column renamed": (table(ID, changed(NAME, name="title"), AT), "name -> title"),
    "column made anew": (table(ID, changed(NAME, number=9), AT), "name"),
    "type changed, read as before": (table(changed(ID, type_name="int8"), NAME, AT), "id"),
    "type changed": (table(ID, NAME, changed(AT, precision=6)), "at"),
    "NOT NULL set or dropped": (table(ID, changed(NAME, nullable=False), AT), "name"),
    "key changed": (table(key=("name",)), "id -> name"),
    "replica identity changed": (table(replica_identity="full"), "default -> full"),
    "table made anew": (table(oid=9), ""),
}


@pytest.mark.parametrize("kind", CASES)
def test_each_kind_of_change_is_told_by_name(kind):
    new, what = CASES[kind]
    assert differences(table(), new) == [Difference(kind, what)]


@pytest.mark.parametrize("kind", CASES)
def test_only_changes_that_lose_nothing_are_followed(kind):
    new, _ = CASES[kind]
    held = {"column renamed", "column made anew", "type changed", "key changed", "table made anew", "column name taken"}
    [difference] = differences(table(), new)
    assert difference.is_followed is (kind not in held | {"column added with values of their own"})


@pytest.mark.parametrize(
    ("kind", "fill", "is_held"),
    [
        ({"type_name": "timestamptz"}, "infinity", True),
        ({"type_name": "timestamp"}, "-infinity", True),
        ({"type_name": "timestamptz"}, "0044-03-15 12:00:00+00 BC", True),
        ({"type_name": "timestamptz"}, "2026-01-02 03:04:05.678+00", False),
        ({"type_name": "date"}, "10000-01-01", True),
        ({"type_name": "date"}, "0001-01-01", False),
        ({"type_name": "numeric", "precision": 5, "scale": 2}, "NaN", True),
        ({"type_name": "numeric", "precision": 5, "scale": 2}, "-1.50", False),
        ({"type_name": "numeric"}, "NaN", False),
        ({"type_name": "float8"}, "NaN", False),
        ({"type_name": "bytea"}, "\\x00", True),
    ],
)
def test_constant_that_silver_can_not_hold_holds_the_table(kind, fill, is_held):
    [difference] = differences(table(), table(ID, NAME, AT, changed(NEW, fill=fill, **kind)))
    assert difference.is_followed is not is_held


def test_several_changes_are_all_told():
    new = table(ID, changed(AT, precision=6), NEW)
    assert [d.kind for d in differences(table(), new)] == ["type changed", "column added", "column dropped"]


def test_same_contract_has_no_differences():
    assert differences(table(), table()) == []


def test_dropped_columns_stay_behind_the_others_and_may_be_null():
    versions = [table(changed(ID), changed(NAME, nullable=False), AT), table(ID, AT), table(ID, AT, NEW)]
    assert [c.name for c in with_dropped(versions).columns] == ["id", "at", "new", "name"]
    assert with_dropped(versions).columns[-1].nullable


def test_column_that_came_back_is_there_once():
    assert [c.name for c in with_dropped([table(), table(ID, AT), table()]).columns] == ["id", "name", "at"]


@pytest.mark.parametrize("name", ["_cdc_op", "_cdc_", "NAME", "Dropped"])
def test_name_that_no_reader_can_tell_apart_is_taken(name):
    new = table(ID, NAME, AT, changed(NEW, name=name))
    assert differences(table(), new, kept=["dropped"]) == [Difference("column name taken", name)]


def test_column_that_takes_the_place_of_one_in_other_letters_is_held():
    new = table(ID, AT, changed(NEW, name="Name"))
    assert [str(d) for d in differences(table(), new)] == ["column name taken: Name", "column dropped: name"]
