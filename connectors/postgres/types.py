"""Every PostgreSQL type that is captured: one row per type.

A rule says how Debezium writes a value in JSON and how silver keeps it. Debezium is configured with
`decimal.handling.mode=string`, `interval.handling.mode=string`, `time.precision.mode=adaptive` and
`binary.handling.mode=bytes`. A type without a rule is refused by `lakehouse source check`:
nothing is dropped or turned into NULL in silence.
"""

from dataclasses import dataclass

import pyarrow as pa

from connectors.postgres.contracts import ColumnContract

MAX_DECIMAL_DIGITS = 38
MILLISECOND_DIGITS = 3


@dataclass(frozen=True)
class TypeRule:
    """How one type travels.

    Attributes:
        arrow: Type in silver.
        decode: DuckDB expression from Debezium's text, `{0}`, to that type; NULL where it can't.
        why: Why silver keeps it so.
    """

    arrow: pa.DataType
    decode: str
    why: str


_TIMESTAMP = pa.timestamp("us", tz="UTC")

_BIGINT = "if(contains({0}, '.'), NULL, try_cast({0} AS BIGINT))"  # a bare cast would round 1.5 to 2

INTEGER = TypeRule(pa.int64(), _BIGINT, "widened, so that the source may widen too")
TEXT = TypeRule(pa.string(), "{0}", "kept as PostgreSQL writes it")

_RULES: dict[str, TypeRule] = {
    "int2": INTEGER,
    "int4": INTEGER,
    "int8": INTEGER,
    "oid": INTEGER,
    "bool": TypeRule(pa.bool_(), "try_cast({0} AS BOOLEAN)", "exact"),
    "float4": TypeRule(pa.float32(), "try_cast({0} AS FLOAT)", "exact"),
    "float8": TypeRule(pa.float64(), "try_cast({0} AS DOUBLE)", "exact"),
    "date": TypeRule(pa.date32(), "try(DATE '1970-01-01' + try_cast({0} AS INTEGER))", "exact"),
    "timestamptz": TypeRule(_TIMESTAMP, "try_cast({0} AS TIMESTAMPTZ)", "exact"),
    "bytea": TypeRule(pa.binary(), "try(from_base64({0}))", "exact"),
    "text": TEXT,
    "varchar": TEXT,
    "bpchar": TEXT,
    "char": TEXT,
    "name": TEXT,
    "citext": TEXT,
    "uuid": TEXT,
    "json": TEXT,
    "jsonb": TEXT,
    "xml": TEXT,
    "enum": TEXT,
    "inet": TEXT,
    "cidr": TEXT,
    "macaddr": TEXT,
    "macaddr8": TEXT,
    "interval": TypeRule(pa.string(), "{0}", "ISO 8601 text: months, days and seconds stay apart"),
}

_ARRAY = TypeRule(pa.string(), "{0}", "JSON text, so that NULLs and nesting survive")
_ARRAY_ELEMENTS = frozenset(("int2", "int4", "int8", "bool", "text", "varchar", "bpchar", "uuid", "enum", "float8"))
_NUMERIC_AS_TEXT = TypeRule(pa.string(), "{0}", "text: without a declared scale no decimal type holds every value")


def _decimal(scale: int) -> TypeRule:
    cast = f"try_cast({{0}} AS DECIMAL({MAX_DECIMAL_DIGITS}, {scale}))"
    # A bare cast would round what has more digits than declared.
    guarded = f"if(len(split_part({{0}}, '.', 2)) > {scale}, NULL, {cast})"
    return TypeRule(pa.decimal128(MAX_DECIMAL_DIGITS, scale), guarded, "exact, widened to 38 digits")


def _scaled_integer(column: ColumnContract) -> str:
    """Microseconds from Debezium's integer, which counts milliseconds up to a precision of 3."""
    factor = 1000 if column.precision is not None and column.precision <= MILLISECOND_DIGITS else 1
    return f"{_BIGINT} * {factor}"


def _time_text(microseconds: str) -> str:
    # 24:00:00 is a time in PostgreSQL and wraps to midnight in DuckDB.
    clock = f"CAST(TIME '00:00:00' + to_microseconds({microseconds}) AS VARCHAR)"
    return f"if({microseconds} = 86400000000, '24:00:00', {clock})"


def rule_for(column: ColumnContract) -> TypeRule | None:
    """Returns the rule for a column; None if its type is not captured yet."""
    name = column.type_name
    if name == "numeric":
        if column.precision is None or column.scale is None:
            return _NUMERIC_AS_TEXT
        fits = column.scale >= 0 and max(column.precision, column.scale) <= MAX_DECIMAL_DIGITS
        return _decimal(column.scale) if fits else _NUMERIC_AS_TEXT
    if name == "timestamp":
        return TypeRule(
            _TIMESTAMP, f"make_timestamptz({_scaled_integer(column)})", "exact; labelled UTC, marked in the field"
        )
    if name == "time":
        return TypeRule(pa.string(), _time_text(_scaled_integer(column)), "text: no reader agrees on a time type")
    if name.startswith("_"):
        return _ARRAY if name[1:] in _ARRAY_ELEMENTS else None
    return _RULES.get(name)
