"""The part of the preflight check about types: values that would arrive altered, in the database as a whole."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from connectors.postgres.catalog import CatalogTable
from connectors.postgres.checks import Finding, Severity
from connectors.postgres.connection import Connection
from connectors.postgres.identifiers import TableName, quote_identifier

HAS_INFINITE_INTERVALS = 170000
MONEY_DECIMALS = 2

# A type has an array, and a table a type, of its own name.
_NAMESAKES = """
    SELECT DISTINCT t.typname, n.nspname, own.typname, own.typrelid <> 0
    FROM pg_type t
    LEFT JOIN pg_type element ON element.typarray = t.oid
    JOIN pg_type own ON own.oid = coalesce(element.oid, t.oid)
    JOIN pg_namespace n ON n.oid = own.typnamespace
    WHERE t.typname = ANY(%s) AND n.nspname <> 'pg_catalog'
      AND EXISTS (SELECT FROM pg_type other WHERE other.typname = t.typname AND other.oid <> t.oid)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = own.oid
                      AND d.deptype = 'e')
    ORDER BY 2, 3
"""

_DOMAINS_OVER_ENUMS = """
    SELECT n.nspname, t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typtype = 'd' AND t.typcategory = 'E' ORDER BY 1, 2
"""

# Constraints of one column, with its name as PostgreSQL writes it in them.
_CONSTRAINTS = """
    SELECT n.nspname, c.relname, a.attname, format('%%I', a.attname), pg_get_expr(k.conbin, k.conrelid)
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND k.conkey = ARRAY[a.attnum]
    JOIN unnest(%s::text[], %s::text[]) AS w(schema, name) ON n.nspname = w.schema AND c.relname = w.name
    WHERE k.contype = 'c' AND k.convalidated
"""


@dataclass(frozen=True)
class _Guard:
    """A constraint that keeps values out which Debezium can't write.

    Attributes:
        type_name: Type of the columns that need it.
        severity: What it is to go without: an error where such a value would arrive as another one.
        problem: What the column may hold, and what comes of it.
        check: The constraint, `{0}` the column.
        written: A regular expression of the same as PostgreSQL writes it.
    """

    type_name: str
    severity: Severity
    problem: str
    check: str
    written: str


_STOPS = "which Debezium can't write: nothing of the source would arrive any more"
_HOURS = _Guard(
    "interval",
    "warning",
    f"may hold an interval of 2^31 hours, {_STOPS}",
    "abs(extract(hour FROM {0})) < 2147483648",
    r"\(abs\(EXTRACT\(hour FROM {0}\)\) < \('2147483648'::bigint\)::numeric\)",
)
_GUARDS = (
    _HOURS,
    _Guard(
        "_enum",
        "warning",
        f"may hold a NULL inside, {_STOPS}",
        "array_position({0}, NULL) IS NULL",
        r"\(array_position\({0}, NULL::.*\) IS NULL\)",
    ),
    _Guard(
        "_numeric",
        "warning",
        f"may hold NaN or infinity inside, {_STOPS}",
        "NOT {0} && '{{NaN,Infinity,-Infinity}}'",
        r"\(NOT \({0} && '\{{NaN,Infinity,-Infinity\}}'::numeric\[\]\)\)",
    ),
)
# It keeps infinity out as well, from the version on that has it.
_FINITE = replace(_HOURS, problem="may hold an infinite interval, which Debezium writes as one of zero")


def check_types(connection: Connection, tables: Sequence[CatalogTable]) -> list[Finding]:
    """Looks for what makes Debezium misread values of the columns of these tables."""
    types = {column.type_name for table in tables for column in table.contract.columns}
    return [
        *_namesake_findings(connection, types),
        *_domain_findings(connection),
        *(_money_findings(connection) if "money" in types else ()),
        *_guard_findings(connection, tables),
    ]


def _namesake_findings(connection: Connection, types: Iterable[str]) -> list[Finding]:
    findings: dict[TableName, Finding] = {}
    for captured, schema, name, is_table in connection.execute(_NAMESAKES, [sorted(types)]):
        own = TableName(schema, name)
        problem = f"has the name of the type {captured}, and Debezium takes one for the other: values could be lost"
        fix = f"ALTER {'TABLE' if is_table else 'TYPE'} {own.quoted} RENAME TO ...;"
        findings.setdefault(own, Finding("blocker", str(own), problem, fix))
    return list(findings.values())


def _domain_findings(connection: Connection) -> list[Finding]:
    return [
        Finding(
            "blocker",
            str(domain),
            "is a domain over an enum: Debezium does not start in a database that has one",
            f"DROP DOMAIN {domain.quoted}; -- after giving the enum's own type to its columns",
        )
        for domain in (TableName(*row) for row in connection.execute(_DOMAINS_OVER_ENUMS))
    ]


def _money_findings(connection: Connection) -> list[Finding]:
    (decimals,) = connection.execute("SELECT scale(1::money::numeric)").fetchone() or (None,)
    if decimals == MONEY_DECIMALS:
        return []
    problem = f"gives money {decimals} decimals, and Debezium reads it with {MONEY_DECIMALS}"
    return [Finding("blocker", "lc_monetary", problem, "ALTER TABLE ... ALTER COLUMN ... TYPE numeric;")]


def _guard_findings(connection: Connection, tables: Sequence[CatalogTable]) -> list[Finding]:
    has_infinity = connection.info.server_version >= HAS_INFINITE_INTERVALS
    guards = {guard.type_name: guard for guard in (*_GUARDS, *((_FINITE,) if has_infinity else ()))}
    guarded = [
        (contract.table, column.name, guards[column.type_name])
        for contract in (table.contract for table in tables)
        for column in contract.columns
        if column.type_name in guards
    ]
    names = [list(part) for part in zip(*(table for table, _, _ in guarded), strict=True)] or [[], []]
    found = [
        (TableName(schema, table), column, written, constraint)
        for schema, table, column, written, constraint in connection.execute(_CONSTRAINTS, names)
    ]
    return [
        Finding(
            guard.severity,
            f"{table}.{column}",
            guard.problem,
            f"ALTER TABLE {table.quoted} ADD CHECK ({guard.check.format(quote_identifier(column))});",
        )
        for table, column, guard in guarded
        if not any(
            (table, column) == (of_table, of_column)
            and re.fullmatch(guard.written.format(re.escape(name)), constraint, re.DOTALL)
            for of_table, of_column, name, constraint in found
        )
    ]
