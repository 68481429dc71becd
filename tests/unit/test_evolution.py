"""What a change of a table's columns means: what silver follows by itself, and what holds the table."""

import pytest

from connectors.changes.policies import POLICIES
from connectors.changes.schema_changes import Difference, answer_to, differences, with_dropped, with_memory
from connectors.postgres.contracts import ColumnContract, Fingerprint, Member, TableContract

ID = ColumnContract(name="id", type_name="int4", nullable=False, number=1)
NAME = ColumnContract(name="name", type_name="varchar", number=2)
AT = ColumnContract(name="at", type_name="timestamp", precision=3, number=3)


def table(*columns, key=("id",), **more):
    return TableContract(schema_name="public", table_name="t", columns=columns or (ID, NAME, AT), key=key, **more)


def changed(column, **update):
    return column.model_copy(update=update)


PRINT = Fingerprint(
    row_type=700,
    width=3,
    indexes={16502: 700},
    members=(Member(16500, 16500, "d", 0), Member(16501, 16501, "d", 700)),
    columns={1: 700, 2: 700, 3: 700},
    modifiers={1: -1, 2: 24, 3: 3},
    defaults={2: 700},
    types={"16400/e": ("650 fine", "650 sad"), "16410/c": ("651 1",)},
    publication="16600/710/16601/710",
)


def printed(*columns, **update):
    """The table, recorded with its fingerprint."""
    return table(*columns, oid=16500, fingerprint=PRINT.model_copy(update=update))


def members(*, file=16501, identity="d", attached=700):
    return PRINT.members[0], Member(16501, file, identity, attached)


NEW = ColumnContract(name="new", type_name="int4", number=4)
UNSEEN = {
    "default set or dropped": (printed(defaults={}, columns={1: 700, 2: 720, 3: 700}), "name"),
    "enum value added": (printed(types={**PRINT.types, "16400/e": ("650 fine", "650 sad", "720 glad")}), ""),
    "type altered": (printed(types={**PRINT.types, "16400/e": ("650 fine", "720 low")}), ""),
    "table rewritten": (printed(members=members(file=16999)), ""),
    "replica identity changed": (printed(members=members(identity="f")), "of a partition"),
    "partition created": (printed(members=(*PRINT.members, Member(16502, 16502, "d", 720))), ""),
    "partition attached or detached": (printed(members=members(attached=720)), ""),
    "publication altered": (printed(publication="16600/720/16601/710"), ""),
    "column came and went": (printed(width=4), ""),
    "definition touched": (printed(row_type=720), ""),
}
"""Changes of a table's fingerprint alone."""
CASES = {
    "column added": (table(ID, NAME, AT, NEW), "new"),
    "column added with a constant": (table(ID, NAME, AT, changed(NEW, fill="7")), "new"),
    "column added with a value per row": (table(ID, NAME, AT, changed(NEW, fill_known=False)), "new"),
    "column name taken": (table(ID, NAME, AT, changed(NEW, name="Name")), "Name"),
    "column dropped": (table(ID, AT), "name"),
    "column renamed": (table(ID, changed(NAME, name="title"), AT), "name -> title"),
    "column recreated": (table(ID, changed(NAME, number=9), AT), "name"),
    "type changed, read as before": (table(ID, changed(NAME, type_name="text"), AT), "name"),
    "type changed, maybe written differently": (table(changed(ID, type_name="int8"), NAME, AT), "id"),
    "type changed": (table(ID, NAME, changed(AT, precision=6)), "at"),
    "NOT NULL set or dropped": (table(ID, changed(NAME, nullable=False), AT), "name"),
    "key changed": (table(key=("name",)), "id -> name"),
    "replica identity changed": (table(replica_identity="full"), "default -> full"),
    "table recreated": (table(oid=9), ""),
}


@pytest.mark.parametrize("kind", CASES)
def test_each_kind_of_change_is_told_by_name(kind):
    new, what = CASES[kind]
    assert differences(table(), new) == [Difference(kind, what)]


@pytest.mark.parametrize("kind", UNSEEN)
def test_change_that_only_the_fingerprint_tells_is_told_by_name(kind):
    new, what = UNSEEN[kind]
    assert differences(printed(), new) == [Difference(kind, what)]
    assert differences(new, new) == []


def test_every_kind_that_a_catalogue_tells_has_a_case():
    told_otherwise = {"table dropped", "table removed from the publication", "table added", "table renamed"}
    told_otherwise |= {"table that stops Debezium", "partition without identity"}
    assert {*CASES, *UNSEEN} | told_otherwise == set(POLICIES)


def test_the_most_careful_answer_counts():
    answers = {kind: policy.answer for kind, policy in POLICIES.items()}
    assert answers["column added"] == "followed"
    assert answers["table rewritten"] == "verified"
    assert answers["column renamed"] == "paused"
    found = [Difference(kind, "") for kind in ("column renamed", "column added", "table rewritten")]
    assert [answer_to(found[n:]) for n in range(4)] == ["paused", "verified", "verified", "followed"]


def test_table_that_an_earlier_release_recorded_is_looked_into_once():
    [difference] = differences(table(oid=16500), printed())
    assert difference.answer == "verified"


def test_keys_that_come_and_go_are_no_change_and_one_that_was_altered_is():
    assert differences(printed(), printed(indexes={16503: 720})) == []
    assert differences(printed(), printed(indexes={16502: 720})) == [Difference("definition touched", "")]


@pytest.mark.parametrize("members", [PRINT.members[:1], (*PRINT.members, Member(16502, 16502, "d", 720, born=False))])
def test_partition_whose_rows_no_event_tells_of_is_compared(members):
    assert differences(printed(), printed(members=members)) == [Difference("partition attached or detached", "")]


def test_altered_column_is_told_once():
    touched = {**PRINT.columns, 2: 720}
    [required] = differences(printed(), printed(ID, changed(NAME, nullable=False), AT, columns=touched))
    assert required.kind == "NOT NULL set or dropped"
    assert differences(printed(), printed(columns=touched)) == [Difference("definition touched", "name")]


def test_varchar_of_another_length_is_read_as_before():
    longer = printed(columns={**PRINT.columns, 2: 720}, modifiers={**PRINT.modifiers, 2: 44})
    assert differences(printed(), longer) == [Difference("type changed, read as before", "name")]


def test_constant_of_rows_from_before_a_column_outlives_the_catalogue():
    known = table(ID, NAME, AT, changed(NEW, fill="7"))
    rewritten = table(ID, NAME, AT, NEW)
    assert with_memory(rewritten, known) == known
    made_anew = table(ID, NAME, AT, changed(NEW, number=9, fill="8"))
    assert with_memory(made_anew, known) == made_anew


@pytest.mark.parametrize(
    ("kind", "fill", "is_paused"),
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
def test_constant_that_silver_can_not_hold_holds_the_table(kind, fill, is_paused):
    [difference] = differences(table(), table(ID, NAME, AT, changed(NEW, fill=fill, **kind)))
    assert (difference.answer == "paused") is is_paused


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
