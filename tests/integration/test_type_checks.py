"""A real catalogue: no type is forgotten; what would be misread is found, with a fix that fixes."""

import pytest
from psycopg.errors import CheckViolation

from connectors.postgres.catalog import list_tables, read_tables
from connectors.postgres.checks import check_tables
from connectors.postgres.connection import connect
from connectors.postgres.type_checks import check_types
from connectors.postgres.types import TYPES, Refusal, row_name, sql_name
from tests.values.declarations import SETUP

# Without the types that no column can have, or that only PostgreSQL itself writes.
OWN_TYPES = """
    SELECT t.typname FROM pg_type t LEFT JOIN pg_type e ON e.typarray = t.oid
    WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype IN ('b', 'r', 'm')
      AND coalesce(e.typtype, 'b') IN ('b', 'r', 'm') AND t.typname !~ '^_?(gtsvector|pg_(node_tree|ndistinct|'
      'dependencies|mcv_list|ddl_command|brin_.*))$'
"""
DECLARED = {"bit": '"bit"', "_bit": "bit(3)[]", "_composite": "pair[]", "_range": "textrange[]"} | {
    "_multirange": "textmultirange[]"
}
NOT_HERE = ("geometry", "geography", "_geometry", "_geography")


@pytest.fixture
def source(database):
    with connect(database) as connection:
        yield connection


def errors(source):
    tables = read_tables(source, list_tables(source))
    return check_types(source, tables)


def test_every_type_of_postgresql_has_a_row(source):
    own = {name for (name,) in source.execute(OWN_TYPES)}
    variants = {"bit": "bit(n)"}
    assert {name for name in own if variants.get(name, name) not in TYPES} == set()


def test_refused_types_are_named_with_the_reason(source):
    source.execute(SETUP)
    refused = {name: row for name, row in TYPES.items() if isinstance(row, Refusal) and name not in NOT_HERE}
    columns = ", ".join(f'"{name}" {DECLARED.get(name, sql_name(name))}' for name in refused)
    source.execute(f"CREATE TABLE refused (id int PRIMARY KEY, {columns})")
    (table,) = read_tables(source, list_tables(source))
    assert {row_name(column) for column in table.contract.columns} == {*refused, "int4"}
    findings = {found.subject: found for found in check_tables([table], role="postgres")}
    assert findings.keys() == {f"public.refused.{name}" for name in refused}
    for name, refusal in refused.items():
        assert refusal.why in findings[f"public.refused.{name}"].problem
        source.execute(findings[f"public.refused.{name}"].fix)
    assert check_tables(read_tables(source, list_tables(source)), role="postgres") == []


@pytest.mark.parametrize(
    ("namesake", "subject"),
    [
        ("CREATE TABLE public.timestamptz (id int PRIMARY KEY)", "public.timestamptz"),
        ("CREATE TABLE elsewhere.text (id int PRIMARY KEY)", "elsewhere.text"),
        ("CREATE DOMAIN elsewhere.timestamptz AS text", "elsewhere.timestamptz"),
        ("CREATE TYPE elsewhere.text AS ENUM ('a')", "elsewhere.text"),
    ],
)
def test_a_namesake_of_a_captured_type_is_an_error(source, namesake, subject):
    source.execute(
        "CREATE SCHEMA elsewhere; CREATE TABLE t (id int PRIMARY KEY, at timestamptz, words pg_catalog.text[])"
    )
    assert errors(source) == []
    source.execute(namesake)
    (found,) = errors(source)
    assert (found.severity, found.subject) == ("blocker", subject)
    source.execute(found.fix.replace("...", "renamed"))
    assert errors(source) == []


def test_a_domain_over_an_enum_is_an_error(source):
    source.execute("CREATE TYPE mood AS ENUM ('a'); CREATE DOMAIN feeling AS mood; CREATE TABLE t (id int PRIMARY KEY)")
    (found,) = errors(source)
    assert found.subject == "public.feeling"
    source.execute(found.fix)
    assert errors(source) == []


@pytest.mark.parametrize(
    ("declared", "severity", "bad", "good"),
    [
        ("interval", "warning", "infinity", "2147483647 hours 59 minutes"),
        ("interval", "warning", "-2147483647 hours -60 minutes", "-2147483647 hours"),
        ("mood[]", "warning", "{a,NULL}", "{a,a}"),
        ("numeric[]", "warning", "{1,NaN}", "{1.50,NULL}"),
        ("numeric(5, 2)[]", "warning", "{NaN}", "{}"),
        ("numeric[]", "warning", "{-Infinity}", "{-1}"),
    ],
)
def test_a_value_that_debezium_can_not_write_is_kept_out_by_the_cure(source, declared, severity, bad, good):
    source.execute(f"CREATE TYPE mood AS ENUM ('a'); CREATE TABLE t (id int, \"a b{{\" {declared})")
    (found,) = errors(source)
    assert (found.severity, found.subject) == (severity, "public.t.a b{")
    source.execute(found.fix)
    assert errors(source) == []
    source.execute("INSERT INTO t VALUES (1, %s), (2, NULL)", [good])
    with pytest.raises(CheckViolation):
        source.execute("INSERT INTO t VALUES (3, %s)", [bad])


def test_money_with_two_decimals_is_none(source):
    source.execute("CREATE TABLE t (id int PRIMARY KEY, price money)")
    assert errors(source) == []
