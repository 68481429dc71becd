r"""The canonical text of a value: one form per type, written once for PostgreSQL and once for DuckDB.

The two sides share no code but this table of expressions, so a fault in decoding can't hide itself.
Equal means what PostgreSQL's `=` says of numbers (1.5 is 1.50) and of padded `char(n)`; elsewhere it is
stricter: floats are compared by their bits (-0.0 is not 0.0, every NaN is the same), intervals by their
months, days and microseconds, text by its characters. What a rule can't read enters the comparison as the
text that is stored, so that it shows as a difference; it is never taken for NULL.
"""

from dataclasses import dataclass, replace

import duckdb

from connectors.postgres.contracts import ColumnContract

MAX_DECIMAL_DIGITS = 38


def quoted(text: str) -> str:
    """SQL of both engines: the text in quotes, or a bare N for NULL; joined by commas, no two rows read alike."""
    return f"""coalesce('"' || replace({text}, '"', '""') || '"', 'N')"""


_MACROS = (
    # An unsigned number as digits and the place of its point: ('123', -1) is 0.0123, ('123', 5) is 12300.
    """CREATE OR REPLACE TEMP MACRO plain_digits(d, point) AS CASE
        WHEN point <= 0 THEN concat('0.', repeat('0', -point), d)
        WHEN point >= length(d) THEN concat(d, repeat('0', point - length(d)))
        ELSE concat(d[:point], '.', d[point + 1:]) END""",
    """CREATE OR REPLACE TEMP MACRO without_exponent(m, e) AS
        plain_digits(replace(m, '.', ''), length(split_part(m, '.', 1)) + e)""",
    # From the inside: a digit before the point, no zero after the last digit, no bare point, no zero in front, no -0.
    """CREATE OR REPLACE TEMP MACRO trimmed_number(n) AS
        regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(n,
            '^(-?)\\.', '\\10.'), '(\\.[0-9]*?)0*$', '\\1'), '\\.$', ''), '^(-?)0+([0-9])', '\\1\\2'), '^-0$', '0')""",
    # What BigDecimal writes (1.50, 1E+3, 0E-8) as PostgreSQL's trim_scale() does.
    # The exponent is bounded by what numeric can hold.
    """CREATE OR REPLACE TEMP MACRO canonical_number(t) AS coalesce(CASE
        WHEN NOT regexp_full_match(t, '-?([0-9]+\\.?[0-9]*|\\.[0-9]+)(E[+-]?[0-9]{1,6})?') THEN t
        WHEN contains(t, 'E') THEN trimmed_number(concat(if(starts_with(t, '-'), '-', ''), without_exponent(
            ltrim(split_part(t, 'E', 1), '-'), try_cast(split_part(t, 'E', 2) AS BIGINT))))
        ELSE trimmed_number(t) END, t)""",
    """CREATE OR REPLACE TEMP MACRO interval_part(t, n) AS try_cast(regexp_extract(t,
        '^P(-?[0-9]+)Y(-?[0-9]+)M(-?[0-9]+)DT(-?[0-9]+)H(-?[0-9]+)M(-?[0-9]+(?:\\.[0-9]{1,6})?)S$', n)
        AS DECIMAL(18, 6))""",
    """CREATE OR REPLACE TEMP MACRO canonical_interval(t) AS coalesce(
        (interval_part(t, 1) * 12 + interval_part(t, 2))::BIGINT || ' ' || interval_part(t, 3)::BIGINT || ' ' ||
        (interval_part(t, 4) * 3600000000 + interval_part(t, 5) * 60000000 + interval_part(t, 6) * 1000000)::HUGEINT,
        t)""",
    r"""CREATE OR REPLACE TEMP MACRO canonical_numbers(t) AS array_to_string(list_transform(
        regexp_extract_all(t, '[^][(){}<>,]+|.'),
        lambda n: if(n = 'NaN', n, coalesce(lower(hex(try_cast(n AS DOUBLE)::BIT::BLOB)), n))), '')""",
    f"""CREATE OR REPLACE TEMP MACRO canonical_hstore(t) AS coalesce(array_to_string(list_transform(list_sort(
        map_entries(try_cast(try_cast(t AS JSON) AS MAP(VARCHAR, VARCHAR)))),
        lambda e: {quoted("e.key")} || {quoted("e.value")}), ','), t)""",
)


@dataclass(frozen=True)
class Canonical:
    """The canonical text of one type; NULL for NULL.

    Attributes:
        postgres: Expression over the source column, `{0}`.
        duckdb: Expression over the silver column, `{0}`.
        stored: DuckDB's name of the type that silver should have.
    """

    postgres: str
    duckdb: str
    stored: str = "VARCHAR"


_TEXT = Canonical("{0}::text", "{0}")
# The text that the type's own output function writes, as the stream does; `::text` differs for some types.
# A composite IS NOT NULL only if none of its fields is.
_OUTPUT = Canonical("CASE WHEN {0} IS DISTINCT FROM NULL THEN concat({0}) END", "{0}")
_NUMBER = Canonical("trim_scale({0})::text", "canonical_number({0})")
# Numbers among brackets and commas, each by its bits.
_NUMBERS = Canonical(
    "(SELECT string_agg(CASE WHEN m[1] = 'NaN' THEN m[1] ELSE coalesce(encode(float8send(m[1]::float8), 'hex'), m[2])"
    " END, '' ORDER BY n)"
    " FROM regexp_matches(concat({0}), '([^][()<>,\\x7b\\x7d]+)|(.)', 'g') WITH ORDINALITY AS r(m, n))",
    "canonical_numbers({0})",
)


def _float(send: str, stored: str) -> Canonical:
    return Canonical(
        f"CASE WHEN {{0}} = 'NaN' THEN 'NaN' ELSE encode({send}({{0}}), 'hex') END",
        "if(isnan({0}), 'NaN', lower(hex({0}::BIT::BLOB)))",
        stored,
    )


_TIMESTAMP = Canonical(
    "CASE WHEN isfinite({0}) THEN (extract(epoch from {0}) * 1000000)::numeric(30, 0)::text ELSE {0}::text END",
    "if(isfinite({0}), epoch_us({0})::VARCHAR, {0}::VARCHAR)",
    "TIMESTAMP WITH TIME ZONE",
)

_RULES = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), Canonical("{0}::text", "{0}::VARCHAR", "BIGINT")),
    **dict.fromkeys(("timestamp", "timestamptz"), _TIMESTAMP),
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "uuid", "json", "jsonb", "enum", "time"), _TEXT),
    "bool": Canonical("{0}::text", "{0}::VARCHAR", "BOOLEAN"),
    "float4": _float("float4send", "FLOAT"),
    "float8": _float("float8send", "DOUBLE"),
    "date": Canonical(
        "CASE WHEN isfinite({0}) THEN ({0} - date '1970-01-01')::text ELSE {0}::text END",
        "if(isfinite({0}), ({0} - DATE '1970-01-01')::VARCHAR, {0}::VARCHAR)",
        "DATE",
    ),
    "money": Canonical("{0}::numeric::text", "{0}::VARCHAR", f"DECIMAL({MAX_DECIMAL_DIGITS},2)"),
    "bytea": Canonical("encode({0}, 'hex')", "lower(hex({0}))", "BLOB"),
    "interval": Canonical(
        "CASE WHEN isfinite({0}) THEN (extract(year from {0}) * 12 + extract(month from {0}))::bigint"
        " || ' ' || extract(day from {0})::bigint || ' ' || (extract(hour from {0}) * 3600000000"
        " + extract(minute from {0}) * 60000000 + extract(microseconds from {0}))::bigint ELSE {0}::text END",
        "canonical_interval({0})",
    ),
    "hstore": Canonical(
        f"CASE WHEN {{0}} IS NOT NULL THEN array_to_string(ARRAY(SELECT {quoted('k')} || {quoted('v')}"
        """ FROM jsonb_each_text({0}::jsonb) AS pair(k, v) ORDER BY k COLLATE "C"), ',') END""",
        "canonical_hstore({0})",
    ),
    **dict.fromkeys(("point", "line", "lseg", "box", "path", "circle", "vector", "halfvec"), _NUMBERS),
    # Without a last point that repeats the first.
    "polygon": replace(
        _NUMBERS,
        postgres=_NUMBERS.postgres.replace(
            "concat({0})", r"regexp_replace(concat({0}), '^\((\([^()]*\))(.*),\1\)$', '(\1\2)')"
        ),
    ),
}
_ELEMENTS = _RULES | {"bytea": Canonical("encode({0}, 'hex')", "lower(hex(try(from_base64({0}))))")}


def _decimal(scale: int) -> Canonical:
    """A number that silver keeps with the scale that the source declares."""
    stored = f"DECIMAL({MAX_DECIMAL_DIGITS},{scale})"
    if scale == MAX_DECIMAL_DIGITS:  # DuckDB leaves out the zero before the point here
        return Canonical(_NUMBER.postgres, "canonical_number({0}::VARCHAR)", stored)
    return Canonical("{0}::text", "{0}::VARCHAR", stored)


def _array(element: Canonical) -> Canonical:
    """An array, which silver keeps as JSON text, element by element; of several dimensions as JSON."""
    source = quoted(element.postgres.format("e"))
    # Whole numbers and booleans are compared as they are written: a cast would round 1.5 to 2.
    read = "e" if element.stored in ("BIGINT", "BOOLEAN") else element.duckdb.format(f"try_cast(e AS {element.stored})")
    silver = quoted(f"coalesce({read}, e)")
    return Canonical(
        "CASE WHEN array_ndims({0}) > 1 THEN array_to_json({0})::text WHEN {0} IS NOT NULL THEN '[' || array_to_string("
        f"ARRAY(SELECT {source} FROM unnest({{0}}) WITH ORDINALITY AS u(e, n) ORDER BY n), ',') || ']' END",
        r"coalesce(CASE WHEN regexp_matches({0}, '^\s*\[\s*\[') THEN json(try_cast({0} AS JSON))::VARCHAR ELSE '[' || "
        "array_to_string(list_transform(try_cast(try_cast({0} AS JSON) AS VARCHAR[]), lambda e: "
        f"{silver}), ',') || ']' END, {{0}})",
    )


def register_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Gives a DuckDB connection what the canonical texts call."""
    for macro in _MACROS:
        connection.execute(macro)


def canonical(column: ColumnContract) -> Canonical:
    """The canonical text of a column; of a type without a rule, the text that PostgreSQL writes."""
    name = column.type_name
    if name == "numeric":
        if column.precision is None or column.scale is None:
            return _NUMBER
        digits = max(column.precision, column.scale, column.precision - column.scale)
        return _decimal(max(column.scale, 0)) if digits <= MAX_DECIMAL_DIGITS else _NUMBER
    if name.startswith("_"):
        return _array(_ELEMENTS.get(name[1:], _OUTPUT))
    return _RULES.get(name, _OUTPUT)
