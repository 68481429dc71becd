"""The column types of loaded tables: one row each, which says how a text becomes a value.

None of the expressions fails, whatever the text: NULL for a text that is there sends its row to quarantine.
"""

import re
from dataclasses import dataclass

import pyarrow as pa

from connectors.errors import ConfigurationError
from connectors.postgres import decoding

DECIMAL_DIGITS = 38
_DECIMAL = re.compile(r"decimal\((\d{1,2})\)")
# 1.50 and 15e-1 are exact with two decimals, 1.505 is not; a bare cast would round it.
_DECIMAL_SQL = (
    f"CASE WHEN try_cast({{0}} AS DECIMAL({DECIMAL_DIGITS}, {{scale}}))::VARCHAR = {{0}} OR"
    " len(rtrim(split_part({0}, '.', 2), '0')) <= {scale} AND NOT contains(lower({0}), 'e')"
    f" THEN try_cast({{0}} AS DECIMAL({DECIMAL_DIGITS}, {{scale}})) END"
)
_DAY = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
_DATE_SQL = f"if(regexp_full_match({{0}}, '{_DAY}') AND NOT starts_with({{0}}, '0000'), try_cast({{0}} AS DATE), NULL)"
_TIMESTAMP_SQL = (
    f"if(regexp_full_match({{0}}, '{_DAY}([ T].*)?') AND NOT starts_with({{0}}, '0000'),"
    " try_cast({0} AS TIMESTAMPTZ), NULL)"
)


@dataclass(frozen=True)
class ColumnType:
    """A type that a column can have.

    Attributes:
        name: As a declaration names it.
        arrow: Type in the lake.
        decode: DuckDB expression from the text `{0}`; NULL where it can't.
        exact_statistics: Whether Delta's log can hold its minimum and maximum exactly.
    """

    name: str
    arrow: pa.DataType
    decode: str
    exact_statistics: bool = True


_TYPES = {
    known.name: known
    for known in (
        ColumnType("text", pa.string(), decoding.TEXT),
        ColumnType("json", pa.string(), decoding.TEXT, exact_statistics=False),
        ColumnType("bigint", pa.int64(), "if(regexp_full_match({0}, '[+-]?[0-9]+'), try_cast({0} AS BIGINT), NULL)"),
        ColumnType("float", pa.float32(), decoding.FLOAT, exact_statistics=False),
        ColumnType("double", pa.float64(), decoding.DOUBLE, exact_statistics=False),
        ColumnType(
            "boolean",
            pa.bool_(),
            "CASE lower({0}) WHEN 'true' THEN TRUE WHEN 't' THEN TRUE WHEN 'false' THEN FALSE WHEN 'f' THEN FALSE END",
        ),
        ColumnType("date", pa.date32(), _DATE_SQL),
        ColumnType("timestamp", pa.timestamp("us", tz="UTC"), _TIMESTAMP_SQL),
        ColumnType("binary", pa.binary(), decoding.BYTES, exact_statistics=False),
    )
}


def column_type(name: str) -> ColumnType:
    """Returns the type of a name; `decimal(2)` has 38 digits, 2 of them behind the point.

    Raises:
        ConfigurationError: There is none of this name.
    """
    found = _DECIMAL.fullmatch(name)
    if found and int(found[1]) <= DECIMAL_DIGITS:
        scale = int(found[1])
        arrow, decode = pa.decimal128(DECIMAL_DIGITS, scale), _DECIMAL_SQL.replace("{scale}", str(scale))
        return ColumnType(name, arrow, decode, exact_statistics=False)
    if name not in _TYPES:
        raise ConfigurationError(
            f"{name!r} is not a column type", hint=f"one of {', '.join(_TYPES)}, decimal(2) for two decimals"
        )
    return _TYPES[name]


def kind_of(arrow: pa.DataType) -> str:
    """Returns the name of the type that holds every value of an Arrow type; of nested ones, `json`."""
    if pa.types.is_dictionary(arrow):
        return kind_of(arrow.value_type)
    if pa.types.is_decimal(arrow):
        return f"decimal({max(arrow.scale, 0)})"
    if pa.types.is_uint64(arrow):
        return "decimal(0)"
    checks = (
        (pa.types.is_integer, "bigint"),
        (lambda t: t in (pa.float16(), pa.float32()), "float"),
        (pa.types.is_floating, "double"),
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_date, "date"),
        (pa.types.is_timestamp, "timestamp"),
        (pa.types.is_nested, "json"),
        (lambda t: pa.types.is_binary(t) or pa.types.is_large_binary(t) or pa.types.is_fixed_size_binary(t), "binary"),
    )
    return next((kind for check, kind in checks if check(arrow)), "text")


def duckdb_type(kind: ColumnType) -> str:
    """Returns DuckDB's name of a type."""
    if pa.types.is_decimal(kind.arrow):
        return f"DECIMAL({kind.arrow.precision},{kind.arrow.scale})"
    return _DUCKDB[kind.name]


_DUCKDB = {
    "text": "VARCHAR",
    "json": "VARCHAR",
    "bigint": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMPTZ",
    "binary": "BLOB",
}
