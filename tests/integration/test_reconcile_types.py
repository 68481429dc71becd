"""Every type and every single wrong cell, against a real PostgreSQL; silver is made by hand, value by value."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from psycopg import sql

from connectors.lake.storage import duckdb_connection
from connectors.postgres.contracts import ColumnContract, TableContract
from connectors.quality.canonical import register_macros
from connectors.quality.comparison import compare_table
from connectors.quality.reports import TableComparison

INSTANT = pa.timestamp("us", tz="UTC")
NAN, INFINITY = float("nan"), float("inf")
LONG = "Grüße, 世界 😀 " * 1000


@dataclass(frozen=True)
class Case:
    """One type: how the source declares it, how silver stores it, and values as (PostgreSQL text, silver value)."""

    declared: str
    stored: pa.DataType
    values: tuple[tuple[str, Any], ...]
    type_name: str | None = None
    precision: int | None = None
    scale: int | None = None

    def column(self, name: str) -> ColumnContract:
        return ColumnContract(
            name=name, type_name=self.type_name or self.declared, precision=self.precision, scale=self.scale
        )


def instant(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)


def same(*values: str) -> tuple[tuple[str, str], ...]:
    return tuple((value, value) for value in values)


TEXTS = ("", " ", "N", '"', '""', '","', "a,b", "a'b", "\\", "\\N", "é", "e\u0301", "\n", "\u0001", "😀", "NULL", LONG)
CASES = {
    "small": Case("int2", pa.int64(), (("0", 0), ("-32768", -32768), ("32767", 32767))),
    "big": Case("int8", pa.int64(), (("-9223372036854775808", -(2**63)), ("9223372036854775807", 2**63 - 1), ("0", 0))),
    "money": Case(
        "numeric(12, 2)",
        pa.decimal128(38, 2),
        (("0", Decimal("0.00")), ("-0.01", Decimal("-0.01")), ("9999999999.99", Decimal("9999999999.99"))),
        "numeric",
        12,
        2,
    ),
    "whole": Case(
        "numeric(38, 0)",
        pa.decimal128(38, 0),
        (("9" * 38, Decimal("9" * 38)), ("-" + "9" * 38, Decimal("-" + "9" * 38)), ("100", Decimal(100))),
        "numeric",
        38,
        0,
    ),
    "tiny": Case(
        "numeric(38, 38)",
        pa.decimal128(38, 38),
        (("0." + "9" * 38, Decimal("0." + "9" * 38)), ("-0.5", Decimal("-0.5")), ("0", Decimal(0))),
        "numeric",
        38,
        38,
    ),
    "free": Case(
        "numeric",
        pa.string(),
        (
            ("1.50", "1.50"),
            ("100000", "1E+5"),
            ("0.00000012", "1.2E-7"),
            ("-0.00000012", "-1.2E-7"),
            ("0.00000000", "0E-8"),
            ("1.234567890123456789012345678901234567890e30", "1234567890123456789012345678901.23456789"),
            ("1e60", "1" + "0" * 60),
            ("NaN", "NaN"),
            ("Infinity", "Infinity"),
            ("-Infinity", "-Infinity"),
        ),
    ),
    "single": Case(
        "float4", pa.float32(), (("1.1", 1.1), ("-0", -0.0), ("0", 0.0), ("NaN", NAN), ("-Infinity", -INFINITY))
    ),
    "double": Case(
        "float8",
        pa.float64(),
        (("0.1", 0.1), ("-0", -0.0), ("0", 0.0), ("NaN", NAN), ("Infinity", INFINITY), ("5e-324", 5e-324)),
    ),
    "flag": Case("bool", pa.bool_(), (("t", True), ("f", False))),
    "day": Case(
        "date",
        pa.date32(),
        (
            ("0001-01-01", dt.date(1, 1, 1)),
            ("9999-12-31", dt.date(9999, 12, 31)),
            ("1969-12-31", dt.date(1969, 12, 31)),
        ),
    ),
    "local": Case(
        "timestamp",
        INSTANT,
        (
            ("0001-01-01 00:00:00", instant(1, 1, 1)),
            ("9999-12-31 23:59:59.999999", instant(9999, 12, 31, 23, 59, 59, 999999)),
            ("1969-12-31 23:59:59.999999", instant(1969, 12, 31, 23, 59, 59, 999999)),
        ),
    ),
    "moment": Case(
        "timestamptz",
        INSTANT,
        (
            ("2026-03-29 02:30:00.000001+02", instant(2026, 3, 29, 0, 30, 0, 1)),
            ("0001-01-01 00:00:00+00", instant(1, 1, 1)),
            ("9999-12-31 23:59:59.999999+00", instant(9999, 12, 31, 23, 59, 59, 999999)),
        ),
    ),
    "bytes": Case("bytea", pa.binary(), (("", b""), ("\\x00ff22", b"\x00\xff\x22"), ("\\x4e", b"N"))),
    "words": Case("text", pa.string(), same(*TEXTS)),
    "short": Case("varchar(20)", pa.string(), same("a ", "a", "", "ä"), "varchar"),
    "padded": Case("char(5)", pa.string(), (("ab", "ab"), ("", ""), (" x", " x"), ("a\t", "a\t")), "bpchar"),
    "document": Case("json", pa.string(), same('{"b": 1,  "a": [1, null, "\\u00e9"]}', '{"b":1}', '"N"', "null", "{}")),
    "binary_document": Case("jsonb", pa.string(), same('{"a": 1.50, "b": {"c": [[], {}, "x\\"y"]}}', "null", '"é"')),
    "mood": Case("mood", pa.string(), same("happy", 'it\'s, "ok"'), "enum"),
    "identity": Case(
        "uuid", pa.string(), same("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "0" * 8 + "-0000-0000-0000-" + "0" * 12)
    ),
    "clock": Case("time", pa.string(), same("00:00:00", "23:59:59.999999", "24:00:00", "12:00:00.5")),
    "span": Case(
        "interval",
        pa.string(),
        (
            ("1 year 2 months 3 days 04:05:06.78", "P1Y2M3DT4H5M6.78S"),
            ("-1 year -2 months +3 days -04:05:06.7", "P-1Y-2M3DT-4H-5M-6.7S"),
            ("0", "P0Y0M0DT0H0M0S"),
            ("30 days", "P0Y0M30DT0H0M0S"),
            ("1 month", "P0Y1M0DT0H0M0S"),
            ("-0.000001 seconds", "P0Y0M0DT0H0M-0.000001S"),
            ("1000:00:00", "P0Y0M0DT1000H0M0S"),
        ),
    ),
    "host": Case("inet", pa.string(), same("192.168.0.1", "192.168.0.0/16", "::1")),
    "net": Case("cidr", pa.string(), same("10.0.0.0/8", "10.1.2.3/32")),
    "card": Case("macaddr", pa.string(), same("08:00:2b:01:02:03", "ff:ff:ff:ff:ff:ff")),
    "counts": Case(
        "int8[]",
        pa.string(),
        (
            ("{}", "[]"),
            ("{NULL}", "[null]"),
            ("{1,NULL,-9223372036854775808}", "[1, null, -9223372036854775808]"),
            ("{{1,2},{3,4}}", "[[1, 2],[3, 4]]"),
            ("{1,2,3,4}", "[1,2,3,4]"),
        ),
        "_int8",
    ),
    "tags": Case(
        "text[]",
        pa.string(),
        (
            ("{}", "[]"),
            ('{""}', '[""]'),
            ("{NULL}", "[null]"),
            ('{"NULL"}', '["NULL"]'),
            ('{N,"a,b","a\\"b","\\\\"}', '["N", "a,b", "a\\"b", "\\\\"]'),
            ("{é,😀,\u001f}", '["\\u00e9","\\ud83d\\ude00","\\u001F"]'),
            ('{"[1]"}', '["[1]"]'),
        ),
        "_text",
    ),
    "checks": Case("bool[]", pa.string(), (("{t,f,NULL}", "[true, false, null]"), ("{f}", "[false]")), "_bool"),
    "readings": Case(
        "float8[]",
        pa.string(),
        (
            ("{1e10,0.1,NULL}", "[1.0E10, 0.1, null]"),
            ("{-0,NaN,Infinity}", '[-0.0,"NaN","Infinity"]'),
            ("{0,NaN,Infinity}", '[0.0,"NaN","Infinity"]'),
        ),
        "_float8",
    ),
    "moods": Case(
        "mood[]", pa.string(), (('{happy,"it\'s, \\"ok\\""}', '["happy", "it\'s, \\"ok\\""]'), ("{}", "[]")), "_enum"
    ),
    "pads": Case("char(3)[]", pa.string(), (("{a,bb,NULL}", '["a", "bb", null]'), ("{}", "[]")), "_bpchar"),
    'we"ird. %s {0} Näme': Case("text", pa.string(), same("x", "y")),
}
NULL = (None, None)
TRIALS = tuple(
    (name, right, wrong)
    for name, case in CASES.items()
    for right in (*case.values, NULL)
    for wrong in (*case.values, NULL)
)
"""A row each: every column, every right value of it, and every value that may stand there instead."""

CONTRACT = TableContract(
    schema_name='od"d schema',
    table_name="all.types % {0}",
    columns=(ColumnContract(name="id", type_name="int4"), *(case.column(name) for name, case in CASES.items())),
    key=("id",),
)
SCHEMA = pa.schema([("id", pa.int64()), *((name, case.stored) for name, case in CASES.items())])


def right_row(number: int) -> dict[str, tuple[str | None, Any]]:
    """The right values of a row: as tried, and of the other columns some, NULL among them."""
    tried, right, _ = TRIALS[number]
    others = {name: (*case.values, NULL)[number % (len(case.values) + 1)] for name, case in CASES.items()}
    return others | {tried: right}


def silver_rows(wrong: bool) -> pa.Table:
    rows = []
    for number, (tried, _, instead) in enumerate(TRIALS):
        row = {name: value for name, (_, value) in right_row(number).items()}
        rows.append({"id": number} | row | ({tried: instead[1]} if wrong else {}))
    return pa.Table.from_pylist(rows, SCHEMA)


@pytest.fixture
def source(database) -> Iterator[psycopg.Connection[Any]]:
    """The table in PostgreSQL."""
    password = database.password.get_secret_value() if database.password else None
    address = {"host": database.host, "port": database.port, "user": database.user, "dbname": database.database}
    table = sql.SQL(CONTRACT.table.quoted)
    with psycopg.connect(**address, password=password, autocommit=True) as connection:
        connection.execute("CREATE TYPE mood AS ENUM ('happy', 'it''s, \"ok\"')")
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(CONTRACT.schema_name)))
        declared = [sql.SQL("{} {}").format(sql.Identifier(n), sql.SQL(case.declared)) for n, case in CASES.items()]
        connection.execute(sql.SQL("CREATE TABLE {} (id int, {})").format(table, sql.SQL(", ").join(declared)))
        with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(table)) as copy:
            for number in range(len(TRIALS)):
                copy.write_row((str(number), *(text for text, _ in right_row(number).values())))
        yield connection


@pytest.fixture
def compare(source, tmp_path):
    """Compares the table with silver rows."""
    with duckdb_connection(str(tmp_path)) as lake:
        register_macros(lake)

        def run(rows):
            lake.register("silver_rows", rows)
            with source.transaction():
                return compare_table(CONTRACT, source=source, lake=lake, relation="silver_rows", named=len(TRIALS))

        yield run


def test_equal_values_of_all_types(compare):
    assert compare(silver_rows(wrong=False)) == TableComparison(CONTRACT.table, len(TRIALS), len(TRIALS), 0, ())


def test_every_wrong_cell_is_named(compare):
    wrong = {f"different id={n} in {name}" for n, (name, right, instead) in enumerate(TRIALS) if right is not instead}
    found = compare(silver_rows(wrong=True))
    assert set(found.keys) ^ wrong == set()
    assert found.mismatches == len(wrong)
