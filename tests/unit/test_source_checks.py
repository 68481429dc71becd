"""Findings about tables, from what the catalogue says."""

import pytest

from connectors.debezium.checks import check_stream, version_findings
from connectors.postgres.catalog import CatalogTable
from connectors.postgres.checks import check_patterns, check_tables
from connectors.postgres.contracts import ColumnContract, ReplicaIdentity, TableContract
from connectors.postgres.identifiers import TableName

ORDERS, OF_MAY = TableName("public", "orders"), TableName("parts", "of May")
ID = ColumnContract(name="id", type_name="int4", nullable=False)


def table(
    *columns: ColumnContract, name: str = "orders", identity: ReplicaIdentity = "default", **changes: object
) -> CatalogTable:
    facts: dict[str, object] = {
        "unidentified": (),
        "partitioned": False,
        "has_children": False,
        "readable": True,
        "owned": True,
        "filtered": False,
        "unpublished": (),
        "nested": (),
        "defaulted": (),
    }
    contract = TableContract(
        schema_name="public", table_name=name, columns=(ID, *columns), key=("id",), replica_identity=identity
    )
    return CatalogTable(contract=contract, **{**facts, **changes})  # type: ignore[arg-type]


def array(name: str) -> ColumnContract:
    return ColumnContract(name="tags", type_name=name, toastable=True)


def test_an_ordinary_table_has_no_findings() -> None:
    ordinary = table(ColumnContract(name="note", type_name="text", toastable=True))
    assert check_tables([ordinary], role="me") == []
    assert check_stream("shop", [ordinary]) == []


@pytest.mark.parametrize(
    ("wrong", "problem", "fix"),
    [
        (table(unidentified=(ORDERS,)), "no replica identity", "REPLICA IDENTITY FULL"),
        (table(unidentified=(ORDERS,), identity="nothing"), "no replica identity", "REPLICA IDENTITY DEFAULT"),
        (table(unidentified=(OF_MAY,)), "has not its replica identity, DEFAULT", '"of May" REPLICA IDENTITY DEFAULT;'),
        (table(unidentified=(OF_MAY,), identity="full"), "identity, FULL", '"parts"."of May" REPLICA IDENTITY FULL;'),
        (table(readable=False), "can't be read", 'GRANT SELECT ON "public"."orders" TO "m""e"'),
        (table(owned=False), "belongs to somebody else", "OWNER TO"),
        (table(filtered=True), "row-level security", "BYPASSRLS"),
        (table(has_children=True), "inherited from", "LAKEHOUSE_CDC__TABLES"),
        (table(unpublished=("id",)), "generated columns in its key", "REPLICA IDENTITY FULL"),
        (table(ColumnContract(name="p", type_name="varbit")), "not captured: it has no fixed length", "TYPE text"),
        (table(ColumnContract(name="_cdc_lsn", type_name="int8")), "begins with _cdc_", "RENAME COLUMN"),
        (table(ColumnContract(name="ID", type_name="int8")), "only in letter case", 'RENAME COLUMN "ID"'),
    ],
)
def test_what_would_lose_data_is_an_error_with_a_cure(wrong: CatalogTable, problem: str, fix: str) -> None:
    (finding, *_) = [f for f in check_tables([wrong], role='m"e') if f.severity == "blocker"]
    assert problem in finding.problem
    assert fix in finding.fix


def test_a_published_table_need_not_be_owned() -> None:
    assert check_tables([table(owned=False)], role="me", published=[TableName("public", "orders")]) == []


def test_a_generated_column_that_does_not_travel_is_a_warning() -> None:
    (finding,) = check_tables([table(unpublished=("total",))], role="me")
    assert (finding.severity, finding.subject) == ("warning", "public.orders.total")


def test_commands_on_single_partitions_are_warned_of() -> None:
    (finding,) = check_tables([table(partitioned=True)], role="me")
    assert (finding.severity, finding.subject) == ("warning", "public.orders")
    assert "DETACH" in finding.problem
    assert finding.fix.startswith("lakehouse resync public.orders")


def test_a_type_whose_unchanged_value_is_not_told_needs_the_full_identity() -> None:
    (finding,) = check_stream("shop", [table(array("_bool"))])
    assert "is of type bool[]" in finding.problem
    domain = array("_text").model_copy(update={"domain": True})
    (finding,) = check_stream("shop", [table(domain)])
    assert "is a domain over text[]" in finding.problem
    assert check_stream("shop", [table(array("_bool"), identity="full")]) == []
    assert check_stream("shop", [table(array("_text"))]) == []


def test_an_array_of_several_dimensions_is_an_error() -> None:
    (finding,) = check_stream("shop", [table(array("_int4"), nested=("tags",))])
    assert "several dimensions" in finding.problem


def test_a_comma_in_the_name_of_a_table_with_dates_is_an_error() -> None:
    (finding,) = check_stream("shop", [table(ColumnContract(name="day", type_name="date"), name="a,b")])
    assert "dates of before year 1" in finding.problem
    assert check_stream("shop", [table(name="a,b")]) == []


def test_tables_that_would_share_a_topic_are_an_error() -> None:
    (finding,) = check_stream("shop", [table(name="a b"), table(name="a_b"), table(name="a-b")])
    assert finding.subject == "public.a b and public.a_b"


@pytest.mark.parametrize(("name", "wrong"), [('"a', True), ('a"', True), ("'a'", True), ("'a", False), ('a"b', False)])
def test_a_name_that_looks_quoted_is_an_error(name: str, wrong: bool) -> None:
    assert bool(check_stream("shop", [table(name=name)])) is wrong
    assert bool(check_stream("shop", [table(ColumnContract(name=name, type_name="text"))])) is wrong


def test_a_pattern_that_means_no_table_is_an_error() -> None:
    tables = [TableName("public", "orders")]
    assert [f.subject for f in check_patterns(("*.*", "public.order", "sales.*"), tables)] == [
        "public.order",
        "sales.*",
    ]


@pytest.mark.parametrize(("pattern", "fix"), [("*.*", "create tables"), ("sales.*", "correct LAKEHOUSE_CDC__TABLES")])
def test_empty_database_is_no_wrong_pattern(pattern: str, fix: str) -> None:
    [found] = check_patterns([pattern], [])
    assert found.fix.startswith(fix)


@pytest.mark.parametrize(
    ("version", "warned"),
    [
        ("3.7.1.Final", False),
        ("3.10.0.Beta1", False),
        ("4.0", False),
        ("3.7.0.Final", True),
        ("2.9.9", True),
        ("", True),
    ],
)
def test_debezium_that_loses_rows_of_a_copy_is_warned_of(version: str, warned: bool) -> None:
    assert bool(version_findings(version)) is warned
