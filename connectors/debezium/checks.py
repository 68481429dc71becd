"""The part of the preflight check about Debezium's limits."""

import re
from collections import defaultdict
from collections.abc import Iterable

from connectors.debezium.config import topic_name
from connectors.debezium.placeholder import recognisable
from connectors.postgres.catalog import CatalogTable
from connectors.postgres.checks import Finding, twin_findings
from connectors.postgres.contracts import ColumnContract, TableContract
from connectors.postgres.identifiers import TableName, quote_identifier
from connectors.postgres.types import rule_for, sql_name

_RESUMES_RIGHT = (3, 7, 1)


def check_stream(source: str, tables: Iterable[CatalogTable]) -> list[Finding]:
    """Checks that every change of these tables can be distinguished from any other in the stream."""
    contracts = [table.contract for table in tables]
    nested = [finding for table in tables for finding in _array_findings(table)]
    quotes = [finding for contract in contracts for finding in _name_findings(contract)]
    return [
        *quotes,
        *_topic_findings(source, contracts),
        *(f for c in contracts for f in (*_unchanged_findings(c), *_date_findings(c))),
        *nested,
    ]


def version_findings(version: str) -> list[Finding]:
    """Checks that Debezium goes on where it stood when it starts again, from its version, as in `3.7.1.Final`."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    if numbers >= _RESUMES_RIGHT:
        return []
    needed = ".".join(map(str, _RESUMES_RIGHT))
    problem = (
        f"is older than {needed}: started again within the rows of one COPY, it loses some of them or sends them twice"
    )
    return [
        Finding("warning", f"Debezium {version or 'of an unknown version'}", problem, f"update it to {needed} or newer")
    ]


def stopping_findings(table: CatalogTable) -> list[Finding]:
    """What of a table's definition makes Debezium stop, at the latest with its next change."""
    return [*twin_findings(table), *_unchanged_findings(table.contract)]


def _name_findings(contract: TableContract) -> list[Finding]:
    quoted = contract.table.quoted
    fixes = [
        (contract.schema_name, f"ALTER SCHEMA {quote_identifier(contract.schema_name)} RENAME TO ...;"),
        (contract.table_name, f"ALTER TABLE {quoted} RENAME TO ...;"),
        *((c.name, f"ALTER TABLE {quoted} RENAME {quote_identifier(c.name)} TO ...;") for c in contract.columns),
    ]
    problem = "begins or ends with a quotation mark, which Debezium takes for quoting: it would not be read"
    return [
        Finding("blocker", f"{contract.table}: {name}", problem, f"{fix} -- or leave the table out")
        for name, fix in fixes
        if _taken_for_quoted(name)
    ]


def _taken_for_quoted(name: str) -> bool:
    first, last = name[0], name[-1]
    return '"' in (first, last) or (first == last and first in "'`")


def _topic_findings(source: str, contracts: Iterable[TableContract]) -> list[Finding]:
    topics: dict[str, list[TableName]] = defaultdict(list)
    for contract in contracts:
        topics[topic_name(source, contract.table)].append(contract.table)
    return [
        Finding(
            "blocker",
            " and ".join(map(str, tables)),
            f"would share the topic {topic}, as Kafka's names have no other characters",
            f"ALTER TABLE {tables[-1].quoted} RENAME TO ...; -- or leave one out of LAKEHOUSE_CDC__TABLES",
        )
        for topic, tables in topics.items()
        if len(tables) > 1
    ]


def _unchanged_findings(contract: TableContract) -> list[Finding]:
    if contract.replica_identity == "full":
        return []
    quoted = contract.table.quoted
    return [
        Finding(
            "blocker",
            f"{contract.table}.{column.name}",
            f"is {_described(column)}: Debezium can't write a large value that an update leaves alone",
            f"ALTER TABLE {quoted} REPLICA IDENTITY FULL; -- or, where all values are small: "
            f"ALTER TABLE {quoted} ALTER COLUMN {quote_identifier(column.name)} SET STORAGE PLAIN;",
        )
        for column in contract.columns
        if not recognisable(column) and rule_for(column) is not None
    ]


def _described(column: ColumnContract) -> str:
    return f"{'a domain over' if column.domain else 'of type'} {sql_name(column.type_name)}"


def _date_findings(contract: TableContract) -> list[Finding]:
    dated = any(column.type_name == "date" for column in contract.columns)
    if not dated or "," not in "".join(contract.table):
        return []
    problem = "has dates, and a comma in its name: Debezium would read dates of before year 1 as later ones"
    fix = f"ALTER TABLE {contract.table.quoted} RENAME TO ...; -- or leave it out of LAKEHOUSE_CDC__TABLES"
    return [Finding("blocker", str(contract.table), problem, fix)]


def _array_findings(table: CatalogTable) -> list[Finding]:
    return [
        Finding(
            "blocker",
            f"{table.contract.table}.{name}",
            "is an array of several dimensions: Debezium can't write what is inside",
            f"ALTER TABLE {table.contract.table.quoted} ALTER COLUMN {quote_identifier(name)} TYPE jsonb "
            f"USING to_jsonb({quote_identifier(name)});",
        )
        for name in table.nested
    ]
