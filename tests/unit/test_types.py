"""Each rule decodes what Debezium writes; what it can't becomes NULL for the quarantine to see, and never a failure."""

import datetime as dt
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.postgres.contracts import ColumnContract
from connectors.postgres.types import TYPES, Refusal, TypeRule, refusal_of, rule_for

UTC = dt.UTC


@pytest.fixture(scope="module")
def decode():
    """Decodes texts by the rule of a type."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")

        def run(texts, type_name, **modifiers):
            rule = rule_for(ColumnContract(name="c", type_name=type_name, **modifiers))
            query = f"SELECT {rule.decode.format('v')} FROM (SELECT unnest(?::VARCHAR[]) AS v)"
            return [value for (value,) in connection.execute(query, [texts]).fetchall()]

        yield run


@pytest.mark.parametrize(
    ("text", "type_name", "modifiers", "expected"),
    [
        ("9223372036854775807", "int8", {}, 2**63 - 1),
        ("1.5", "int4", {}, None),
        ("9223372036854775808", "int8", {}, None),
        ("12.50", "numeric", {"precision": 12, "scale": 2}, Decimal("12.50")),
        ("12.505", "numeric", {"precision": 12, "scale": 2}, None),
        ("1E-7", "numeric", {"precision": 12, "scale": 2}, None),
        ("NAN", "numeric", {"precision": 12, "scale": 2}, None),
        ("1200.000", "numeric", {"precision": 5, "scale": -2}, Decimal(1200)),
        ("NAN", "numeric", {}, "NaN"),
        ("NEGATIVE_INFINITY", "numeric", {}, "-Infinity"),
        ("1.50", "money", {}, Decimal("1.50")),
        ("20000", "date", {}, dt.date(2024, 10, 4)),
        ("2932896", "date", {}, dt.date(9999, 12, 31)),
        ("2932897", "date", {}, None),
        ("-719163", "date", {}, None),
        ("-622191234", "date", {}, None),
        ("-2147472692", "date", {}, None),
        ("1700000000123", "timestamp", {"precision": 3}, dt.datetime(2023, 11, 14, 22, 13, 20, 123000, UTC)),
        ("9223372036825200", "timestamp", {"precision": 3}, None),
        ("1700000000123456", "timestamp", {}, dt.datetime(2023, 11, 14, 22, 13, 20, 123456, UTC)),
        ("253402300799999999", "timestamp", {}, dt.datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)),
        ("253402300800000000", "timestamp", {}, None),
        ("-62135596800000001", "timestamp", {}, None),
        ("9223372036825200000", "timestamp", {}, None),
        ("-9223372036832400000", "timestamp", {}, None),
        ("2026-01-02T03:04:05.123456Z", "timestamptz", {}, dt.datetime(2026, 1, 2, 3, 4, 5, 123456, UTC)),
        ("0000-12-31T23:59:59.000000Z", "timestamptz", {}, None),
        ("+10000-01-01T00:00:00.000000Z", "timestamptz", {}, None),
        ("infinity", "timestamptz", {}, None),
        ("3723123456", "time", {}, "01:02:03.123456"),
        ("86400000000", "time", {}, "24:00:00"),
        ("86400000", "time", {"precision": 3}, "24:00:00"),
        ("99999999999999999", "time", {"precision": 3}, None),
        ("AQI=", "bytea", {}, b"\x01\x02"),
        ("not base64!", "bytea", {}, None),
        ("KDEsYSk=", "composite", {}, "(1,a)"),
        ("/w==", "composite", {}, None),
        ("true", "bool", {}, True),
        ("maybe", "bool", {}, None),
        ("true", "bit", {"precision": 1}, "1"),
        ("AQE=", "bit", {"precision": 9}, "100000001"),
        ("", "bit", {"precision": 3}, "000"),
        ("gQ==", "bit", {"precision": 3}, None),
        ('{"x":1.1,"y":-0.0,"wkb":"AQ==","srid":null}', "point", {}, "(1.1,-0.0)"),
        ("[1,null]", "_int4", {}, "[1,null]"),
        ("[null,null]", "_int4", {}, None),
        ("[null]", "_text", {}, "[null]"),
        ('["[Ljava.lang.String;@6ea6dc74"]', "_text", {}, None),
        ('["[[Ljava.util.UUID;@6ea6dc74"]', "_uuid", {}, None),
        (None, "int4", {}, None),
    ],
)
def test_decodes_or_gives_null(decode, text, type_name, modifiers, expected):
    assert decode([text], type_name, **modifiers) == [expected]


DECODES = {
    row.decode.format("{0}", scale=2, microseconds=microseconds, length=9)
    for row in TYPES.values()
    if isinstance(row, TypeRule)
    for microseconds in (1, 1000)
}
COLUMNS = {f"v{n}": decode for n, decode in enumerate(sorted(DECODES))}
ODD = st.text(max_size=12) | st.from_regex(r'[-+]?[0-9]{0,40}([.E:T"\[{,-][0-9a-z]*){0,3}', fullmatch=True)


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(ODD, min_size=1))
def test_no_text_makes_decoding_fail(texts):
    rows = pa.table(dict.fromkeys(COLUMNS, texts))
    query = f"SELECT {', '.join(decode.format(name) for name, decode in COLUMNS.items())} FROM rows"
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        assert len(connection.execute(query).fetchall()) == len(texts)


def test_unknown_type_is_refused():
    column = ColumnContract(name="c", type_name="public.invented")
    assert rule_for(column) is None
    assert "no rule" in refusal_of(column).why
    assert refusal_of(ColumnContract(name="c", type_name="int4")) is None


def test_bits_of_no_declared_length_are_refused():
    assert rule_for(ColumnContract(name="c", type_name="bit")) is None


@pytest.mark.parametrize(
    ("precision", "scale", "expected"),
    [
        (12, 2, pa.decimal128(38, 2)),
        (38, 38, pa.decimal128(38, 38)),
        (3, 5, pa.decimal128(38, 5)),
        (5, -2, pa.decimal128(38, 0)),
        (38, -1, pa.string()),
        (60, 39, pa.string()),
        (39, 0, pa.string()),
        (None, None, pa.string()),
    ],
)
def test_number_that_fits_no_decimal_becomes_text(precision, scale, expected):
    column = ColumnContract(name="c", type_name="numeric", precision=precision, scale=scale)
    assert rule_for(column).arrow == expected


def test_every_row_says_why():
    assert all(row.why for row in TYPES.values())
    assert {row.outcome for row in TYPES.values() if not isinstance(row, Refusal)} == {"exact", "text"}
