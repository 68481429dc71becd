"""What keeps values of a captured type from being read as they are, found in the database as a whole."""

from collections.abc import Iterable, Sequence

from connectors.postgres.catalog import CatalogTable
from connectors.postgres.checks import Finding
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

_FINITE_COLUMNS = """
    SELECT n.nspname, c.relname, a.attname
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(k.conkey)
    WHERE k.contype = 'c' AND k.convalidated AND pg_get_expr(k.conbin, k.conrelid) = format('isfinite(%I)', a.attname)
"""


def check_types(connection: Connection, tables: Sequence[CatalogTable]) -> list[Finding]:
    """Looks for what makes Debezium misread values of the columns of these tables."""
    types = {column.type_name for table in tables for column in table.contract.columns}
    return [
        *_namesake_findings(connection, types),
        *_domain_findings(connection),
        *(_money_findings(connection) if "money" in types else ()),
        *(_interval_findings(connection, tables) if "interval" in types else ()),
    ]


def _namesake_findings(connection: Connection, types: Iterable[str]) -> list[Finding]:
    findings: dict[TableName, Finding] = {}
    for captured, schema, name, is_table in connection.execute(_NAMESAKES, [sorted(types)]):
        own = TableName(schema, name)
        problem = f"has the name of the type {captured}, and Debezium takes one for the other: values could be lost"
        cure = f"ALTER {'TABLE' if is_table else 'TYPE'} {own.quoted} RENAME TO ...;"
        findings.setdefault(own, Finding("error", str(own), problem, cure))
    return list(findings.values())


def _domain_findings(connection: Connection) -> list[Finding]:
    return [
        Finding(
            "error",
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
    return [Finding("error", "lc_monetary", problem, "ALTER TABLE ... ALTER COLUMN ... TYPE numeric;")]


def _interval_findings(connection: Connection, tables: Iterable[CatalogTable]) -> list[Finding]:
    if connection.info.server_version < HAS_INFINITE_INTERVALS:
        return []
    finite = {(TableName(schema, table), column) for schema, table, column in connection.execute(_FINITE_COLUMNS)}
    return [
        Finding(
            "error",
            f"{contract.table}.{column.name}",
            "may hold an infinite interval, which Debezium writes as one of zero",
            f"ALTER TABLE {contract.table.quoted} ADD CHECK (isfinite({quote_identifier(column.name)}));",
        )
        for contract in (table.contract for table in tables)
        for column in contract.columns
        if column.type_name == "interval" and (contract.table, column.name) not in finite
    ]
