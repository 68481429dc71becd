"""Each type rule decodes what Debezium writes, and turns what it can't into NULL for the quarantine to see."""

import datetime as dt
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest

from connectors.postgres.contracts import ColumnContract
from connectors.postgres.types import rule_for

UTC = dt.UTC


def decode(text, type_name, **modifiers):
    rule = rule_for(ColumnContract(name="c", type_name=type_name, **modifiers))
    query = f"SELECT {rule.decode.format('v')} FROM (SELECT ?::VARCHAR AS v)"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(query, [text]).fetchall()[0][0]


@pytest.mark.parametrize(
    ("text", "type_name", "modifiers", "expected"),
    [
        ("9223372036854775807", "int8", {}, 2**63 - 1),
        ("1.5", "int4", {}, None),
        ("9223372036854775808", "int8", {}, None),
        ("12.50", "numeric", {"precision": 12, "scale": 2}, Decimal("12.50")),
        ("12.505", "numeric", {"precision": 12, "scale": 2}, None),
        ("NaN", "numeric", {"precision": 12, "scale": 2}, None),
        ("1e400", "numeric", {}, "1e400"),
        ("20000", "date", {}, dt.date(2024, 10, 4)),
        ("99999999999", "date", {}, None),
        ("1700000000123", "timestamp", {"precision": 3}, dt.datetime(2023, 11, 14, 22, 13, 20, 123000, UTC)),
        ("1700000000123456", "timestamp", {}, dt.datetime(2023, 11, 14, 22, 13, 20, 123456, UTC)),
        ("2026-01-02T03:04:05.123456Z", "timestamptz", {}, dt.datetime(2026, 1, 2, 3, 4, 5, 123456, UTC)),
        ("3723123456", "time", {}, "01:02:03.123456"),
        ("86400000000", "time", {}, "24:00:00"),
        ("AQI=", "bytea", {}, b"\x01\x02"),
        ("not base64!", "bytea", {}, None),
        ("true", "bool", {}, True),
        ("maybe", "bool", {}, None),
        (None, "int4", {}, None),
    ],
)
def test_decodes_or_gives_null(text, type_name, modifiers, expected):
    assert decode(text, type_name, **modifiers) == expected


def test_unknown_type_has_no_rule():
    assert rule_for(ColumnContract(name="c", type_name="tsvector")) is None
    assert rule_for(ColumnContract(name="c", type_name="_tsvector")) is None


@pytest.mark.parametrize("scale", [39, -2, None])
def test_scale_that_fits_no_decimal_becomes_text(scale):
    assert rule_for(ColumnContract(name="c", type_name="numeric", precision=60, scale=scale)).arrow == pa.string()
