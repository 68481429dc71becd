"""Every PostgreSQL type: one row each, which says how silver stores its values.

A rule says how silver keeps a type, and how its values decode from what Debezium writes as configured in
`connectors.debezium.config`. A refusal says why a type is not captured: `lakehouse source check` names its columns.
Nothing is dropped, rounded or turned into NULL in silence. `docs/types.md` is written from here.
"""

from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa

from connectors.postgres import decoding
from connectors.postgres.contracts import ColumnContract

MAX_DECIMAL_DIGITS = 38
MILLISECOND_DIGITS = 3

Unchanged = Literal["text", "base64", "map", "texts", "base64s", "codes", "uuids"]


@dataclass(frozen=True)
class TypeRule:
    """How a type is kept.

    Attributes:
        outcome: `exact`: as the same type; `text`: as text from which PostgreSQL could read the value again.
        arrow: Type in silver.
        decode: DuckDB expression from Debezium's text, `{0}`, to that type; NULL where it can't.
        why: What silver has, and why.
        unchanged: How Debezium writes an unchanged TOAST value; None: as it writes NULL.
        quarantined: Values that no silver can hold: their rows go to quarantine.
        limits: What else to know.
    """

    outcome: Literal["exact", "text"]
    arrow: pa.DataType
    decode: str
    why: str
    unchanged: Unchanged | None = "text"
    quarantined: str = ""
    limits: str = ""


@dataclass(frozen=True)
class Refusal:
    """Why a type is not captured."""

    why: str


_INSTANT = pa.timestamp("us", tz="UTC")
_YEARS = "infinity, and what is outside the years 1 to 9999: readers of Delta can't hold it"
_DATES = f"{_YEARS}; and, where a snapshot reads them, 5 to 14 October 1582, which Debezium would move by ten days"
_STAND_IN = "tested with a stand-in of that name: the tests' PostgreSQL has no contrib"
_STOPS = "stops the whole source, as Debezium can't write it: `source check` warns, with a CHECK that keeps it out"
_BOUNDS = "lower bounds other than 1 are lost"
_PADDED = "without the spaces that it is padded with, which PostgreSQL disregards"
_UTC = "written in the time zone of Kafka Connect, which should be UTC"

_WHOLE = TypeRule("exact", pa.int64(), decoding.WHOLE, "widened, so that the source may widen too")
_DECIMAL = TypeRule(
    "exact", pa.decimal128(MAX_DECIMAL_DIGITS, 2), decoding.DECIMAL, "widened to 38 digits", quarantined="NaN"
)
_TEXT = TypeRule("text", pa.string(), decoding.TEXT, "as PostgreSQL writes it")
_STAND_IN_TEXT = replace(_TEXT, limits=_STAND_IN)
_NUMBER = TypeRule("text", pa.string(), decoding.NUMBER, "no decimal type holds every value")
_TIME = TypeRule("text", pa.string(), decoding.TIME, "no two readers agree on a time type")
_BITS = TypeRule("text", pa.string(), decoding.BITS, "zeros and ones", unchanged=None)
_AS_BYTES = TypeRule("text", pa.string(), decoding.TEXT_AS_BYTES, "as PostgreSQL writes it", unchanged="base64")
_NAME_OF_OID = replace(_AS_BYTES, limits="the name as of the change: a later renaming is no change of the row")
_SHAPE = replace(_TEXT, why="as PostgreSQL writes it, but the numbers as `1.0`", unchanged=None)
_VECTOR = TypeRule("text", pa.string(), decoding.TEXT, "a JSON array", unchanged=None)
_ARRAY = TypeRule(
    "text",
    pa.string(),
    decoding.ARRAY_OF_TEXTS,
    "a JSON array, so that NULLs survive",
    unchanged=None,
    quarantined="several dimensions",
    limits=_BOUNDS,
)
_ARRAY_OF_VALUES = replace(
    _ARRAY,
    decode=decoding.ARRAY_OF_VALUES,
    quarantined="several dimensions, and nothing but NULLs, which looks the same",
)

_UNWRITABLE = Refusal("Debezium can't write such an array, or not one with a NULL inside")
_OMITTED = Refusal("Debezium omits such a column")
_SHIFTED = Refusal("Debezium changes some elements: years before 1, infinity, 24:00, or an hour skipped in summer")
_OF_EXTENSION = Refusal("no rule is proven for it")
UNKNOWN = Refusal("there is no rule for it: its values could be lost")


def _rows(names: str, row: TypeRule | Refusal) -> dict[str, TypeRule | Refusal]:
    return dict.fromkeys(names.split(), row)


def _arrays(elements: str, row: TypeRule | Refusal) -> dict[str, TypeRule | Refusal]:
    return {f"_{element}": row for element in elements.split()}


TYPES: dict[str, TypeRule | Refusal] = {
    **_rows("int2 int4 int8 oid", _WHOLE),
    "numeric(p,s)": _DECIMAL,
    "numeric": _NUMBER,
    "money": replace(
        _DECIMAL,
        why="Debezium reads it with two decimals, so `source check` wants that of the database",
        quarantined="",
    ),
    "float4": TypeRule("exact", pa.float32(), decoding.FLOAT, "with NaN, infinity and -0"),
    "float8": TypeRule("exact", pa.float64(), decoding.DOUBLE, "with NaN, infinity and -0"),
    "bool": TypeRule("exact", pa.bool_(), decoding.BOOLEAN, "the same"),
    "date": TypeRule("exact", pa.date32(), decoding.DATE, "the same", quarantined=_DATES),
    "timestamp": TypeRule(
        "exact", _INSTANT, decoding.TIMESTAMP, "labelled UTC, marked in the field", quarantined=_YEARS
    ),
    "timestamptz": TypeRule("exact", _INSTANT, decoding.TIMESTAMPTZ, "the same instant", quarantined=_YEARS),
    "time": _TIME,
    "interval": TypeRule(
        "text",
        pa.string(),
        decoding.TEXT,
        "ISO 8601: months, days and seconds stay apart",
        limits="infinity arrives as zero: from PostgreSQL 17 on `source check` warns, with a CHECK that keeps it out; "
        f"2^31 hours or more {_STOPS}",
    ),
    "bytea": TypeRule("exact", pa.binary(), decoding.BYTES, "the same", unchanged="base64"),
    "bit(1)": replace(_BITS, decode=decoding.BIT),
    "bit(n)": _BITS,
    **_rows("text varchar char name uuid json jsonb xml enum inet cidr macaddr macaddr8 tsvector", _TEXT),
    "bpchar": replace(_TEXT, decode=decoding.PADDED, why=_PADDED),
    **_rows("int4range int8range numrange tsrange daterange", _TEXT),
    "tstzrange": replace(_TEXT, limits=_UTC),
    **_rows("citext ltree", _STAND_IN_TEXT),
    "hstore": replace(_STAND_IN_TEXT, why="a JSON object, so that NULLs survive", unchanged="map"),
    **_rows("vector halfvec", _VECTOR),
    "composite": replace(_AS_BYTES, limits=f"a timestamptz within it is {_UTC}"),
    **_rows("range multirange int4multirange int8multirange nummultirange tsmultirange datemultirange", _AS_BYTES),
    "tstzmultirange": replace(_AS_BYTES, limits=_UTC),
    **_rows("tsquery jsonpath pg_lsn pg_snapshot txid_snapshot xid xid8 cid tid aclitem", _AS_BYTES),
    **_rows("regclass regtype regproc regprocedure regoper regoperator", _NAME_OF_OID),
    **_rows("regrole regnamespace regconfig regdictionary regcollation", _NAME_OF_OID),
    "point": replace(_SHAPE, decode=decoding.POINT),
    "line": replace(_SHAPE, decode=decoding.LINE),
    "lseg": replace(_SHAPE, decode=decoding.LSEG),
    "box": replace(_SHAPE, decode=decoding.BOX),
    "path": replace(_SHAPE, decode=decoding.PATH),
    "polygon": replace(
        _SHAPE, decode=decoding.POLYGON, limits="a last point that repeats the first is dropped: it is the same shape"
    ),
    "circle": replace(_SHAPE, decode=decoding.CIRCLE),
    **_arrays("text varchar json jsonb", replace(_ARRAY, unchanged="texts")),
    **_arrays(
        "bpchar", replace(_ARRAY, decode=decoding.ARRAY_OF_PADDED, why=f"a JSON array, {_PADDED}", unchanged="texts")
    ),
    **_arrays("uuid", replace(_ARRAY, unchanged="uuids")),
    **_arrays("enum", replace(_ARRAY, limits=f"{_BOUNDS}; a NULL inside {_STOPS}")),
    **_arrays("char inet cidr macaddr macaddr8 int4range int8range numrange tsrange daterange", _ARRAY),
    **_arrays("tstzrange", replace(_ARRAY, limits=f"{_BOUNDS}; {_UTC}")),
    **_arrays("int4 int8", replace(_ARRAY_OF_VALUES, unchanged="codes")),
    **_arrays("int2 oid float4 float8 bool", _ARRAY_OF_VALUES),
    **_arrays("numeric", replace(_ARRAY_OF_VALUES, limits=f"{_BOUNDS}; NaN or infinity inside {_STOPS}")),
    **_arrays("citext", replace(_ARRAY_OF_VALUES, limits=f"{_BOUNDS}; {_STAND_IN}")),
    **_arrays("bytea", replace(_ARRAY_OF_VALUES, why="a JSON array of base64", unchanged="base64s")),
    "timetz": Refusal("Debezium moves it to UTC: its offset is lost, 24:00 becomes 00:00, and some offsets stop it"),
    **_rows("bit varbit", Refusal("it has no fixed length, and Debezium drops leading zeros")),
    **_rows("int2vector oidvector", Refusal("Debezium writes it as empty")),
    "refcursor": Refusal("Debezium's driver opens the cursor instead of reading its name"),
    **_rows("sparsevec geometry geography", _OF_EXTENSION),
    **_arrays("hstore vector halfvec sparsevec geometry geography", _OF_EXTENSION),
    **_arrays("date timestamp timestamptz time timetz", _SHIFTED),
    **_arrays("interval money name xml varbit point int2vector oidvector refcursor", _OMITTED),
    **_arrays(
        "bit tsvector tsquery composite range multirange int4multirange int8multirange nummultirange", _UNWRITABLE
    ),
    **_arrays("tsmultirange tstzmultirange datemultirange jsonpath pg_lsn pg_snapshot txid_snapshot", _UNWRITABLE),
    **_arrays("xid xid8 cid tid aclitem line lseg box path polygon circle ltree", _UNWRITABLE),
    **_arrays("regclass regtype regproc regprocedure regoper regoperator regrole regnamespace", _UNWRITABLE),
    **_arrays("regconfig regdictionary regcollation", _UNWRITABLE),
}
"""All rows; `_int4` is the array of `int4`, as the catalogue has it."""


def sql_name(name: str) -> str:
    """The name of a row as one would write it: `int4[]` for `_int4`."""
    return f"{name[1:]}[]" if name.startswith("_") else name


def decimal_digits(column: ColumnContract) -> int | None:
    """How many digits a decimal type must have for a column's values; None if the column does not declare it."""
    if column.precision is None or column.scale is None:
        return None
    return max(column.precision, column.scale, column.precision - column.scale)


def row_name(column: ColumnContract) -> str:
    """The name of the row that a column falls under."""
    if column.type_name == "numeric":
        digits = decimal_digits(column)
        return "numeric(p,s)" if digits is not None and digits <= MAX_DECIMAL_DIGITS else "numeric"
    if column.type_name == "bit" and column.precision is not None:
        return "bit(1)" if column.precision == 1 else "bit(n)"
    return column.type_name


def rule_for(column: ColumnContract) -> TypeRule | None:
    """Returns the rule for a column, with what the column declares filled in; None if its type is not captured."""
    row = TYPES.get(row_name(column), UNKNOWN)
    if isinstance(row, Refusal):
        return None
    scale = 2 if column.scale is None else max(column.scale, 0)
    in_milliseconds = column.precision is not None and column.precision <= MILLISECOND_DIGITS
    decode = row.decode.format("{0}", scale=scale, microseconds=1000 if in_milliseconds else 1, length=column.precision)
    return replace(row, decode=decode, arrow=pa.decimal128(MAX_DECIMAL_DIGITS, scale) if row is _DECIMAL else row.arrow)


def refusal_of(column: ColumnContract) -> Refusal | None:
    """Returns why a column's type is not captured; None if it is."""
    row = TYPES.get(row_name(column), UNKNOWN)
    return row if isinstance(row, Refusal) else None
