r"""DuckDB expressions from Debezium's text of a value, `{0}`, to what silver keeps; NULL where it can't be read.

None of them fails, whatever the text: a failure would keep all other rows of a merge from silver.
Other fields in braces are what a column declares; see `connectors.postgres.types.rule_for`.
"""

TEXT = "{0}"
PADDED = "rtrim({0}, ' ')"
WHOLE = "if(contains({0}, '.'), NULL, try_cast({0} AS BIGINT))"  # a bare cast would round 1.5 to 2
BOOLEAN = "CASE {0} WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END"
FLOAT = "try_cast({0} AS FLOAT)"
DOUBLE = "try_cast({0} AS DOUBLE)"

# A bare cast would round what has more digits than declared.
DECIMAL = (
    "if(contains({0}, 'E') OR len(rtrim(split_part({0}, '.', 2), '0')) > {scale}, NULL, "
    "try_cast({0} AS DECIMAL(38, {scale})))"
)
NUMBER = (
    "CASE {0} WHEN 'NAN' THEN 'NaN' WHEN 'POSITIVE_INFINITY' THEN 'Infinity' WHEN 'NEGATIVE_INFINITY' THEN '-Infinity' "
    "ELSE {0} END"
)

# Years 1 to 9999. Infinity arrives as a number far outside, a greater timestamp as one that went over to the negative.
DATE = f"try(if({WHOLE} BETWEEN -719162 AND 2932896, DATE '1970-01-01' + try_cast({{0}} AS INTEGER), NULL))"
TIMESTAMP = (
    f"try(if({WHOLE} BETWEEN -62135596800000000 // {{microseconds}} AND 253402300799999999 // {{microseconds}}, "
    f"make_timestamptz({WHOLE} * {{microseconds}}), NULL))"
)
TIMESTAMPTZ = (
    "if(regexp_matches({0}, '^[0-9][0-9][0-9][0-9]-') AND NOT starts_with({0}, '0000'), "
    "try_cast({0} AS TIMESTAMPTZ), NULL)"
)
# 24:00:00 is a time in PostgreSQL and wraps to midnight in DuckDB.
TIME = (
    f"CASE WHEN {WHOLE} = 86400000000 // {{microseconds}} THEN '24:00:00' "
    f"WHEN {WHOLE} BETWEEN 0 AND 86399999999 // {{microseconds}} "
    f"THEN CAST(TIME '00:00:00' + to_microseconds({WHOLE} * {{microseconds}}) AS VARCHAR) END"
)

BYTES = "try(from_base64({0}))"
TEXT_AS_BYTES = "try(decode(from_base64({0})))"
BIT = "CASE {0} WHEN 'true' THEN '1' WHEN 'false' THEN '0' END"
# The bytes begin with the lowest bits, and end with the highest bit that is set.
_BITS = "from_hex(array_to_string(list_reverse(regexp_extract_all(hex(from_base64({0})), '..')), ''))::BIT::VARCHAR"
BITS = (
    "try(CASE WHEN {0} = '' THEN repeat('0', {length}) "
    f"WHEN len(ltrim({_BITS}, '0')) <= {{length}} THEN lpad(ltrim({_BITS}, '0'), {{length}}, '0') END)"
)
# A geometric value arrives as an object; before Debezium 3.7 as the bytes of its text, which begin with no brace
# (chr(123), as these texts are formatted twice).
_WKB = "hex(from_base64(json_extract_string({0}, '$.wkb')))"
_LITTLE_ENDIAN = "from_hex(array_to_string(list_reverse(regexp_extract_all({hex}, '..')), ''))::BIT::DOUBLE"
_X, _Y = (_LITTLE_ENDIAN.replace("{hex}", f"substr(p, {start}, 16)") for start in (1, 17))


def _field(path: str) -> str:
    return f"json_extract_string({{0}}, '$.{path}')"


def _named(text: str) -> str:
    return f"replace(replace({text}, 'nan', 'NaN'), 'inf', 'Infinity')"


def _shape(text: str) -> str:
    return f"try(CASE WHEN starts_with({{0}}, chr(123)) THEN {_named(text)} ELSE decode(from_base64({{0}})) END)"


def _points(header: int) -> str:
    """The points behind so many bytes of well-known binary, as texts."""
    each = f"regexp_extract_all(substr({_WKB}, {2 * header + 1}), repeat('.', 32))"
    return f"list_transform({each}, lambda p: '(' || {_X} || ',' || {_Y} || ')')"


_LINE_STRING, _RING = _points(9), _points(13)
_OLD_POLYGON = "regexp_extract_all(substr(decode(from_base64({0})), 2), '\\([^()]*\\)')"

POINT = f"try('(' || {_field('x')} || ',' || {_field('y')} || ')')"
LINE = _shape(f"chr(123) || {_field('a')} || ',' || {_field('b')} || ',' || {_field('c')} || chr(125)")
CIRCLE = _shape(f"'<(' || {_field('center.x')} || ',' || {_field('center.y')} || '),' || {_field('radius')} || '>'")
LSEG = _shape(f"'[' || array_to_string({_LINE_STRING}, ',') || ']'")
BOX = _shape(f"list_transform([{_RING}], lambda c: c[1] || ',' || c[3])[1]")
PATH = _shape(
    f"CASE {_field('extensions.closed')} WHEN 'true' THEN '(' || array_to_string({_LINE_STRING}, ',') || ')'"
    f" WHEN 'false' THEN '[' || array_to_string({_LINE_STRING}, ',') || ']' END"
)
# A ring ends where it begins: Debezium adds a last point, unless the polygon has it already.
POLYGON = _named(
    f"try(list_transform([if(starts_with({{0}}, chr(123)), {_RING}, {_OLD_POLYGON})], lambda r: "
    "'(' || array_to_string(if(len(r) > 1 AND r[1] = r[-1], r[:-2], r), ',') || ')')[1])"
)

# An array of several dimensions arrives as Java's name of what is inside, or as nothing but NULLs.
ARRAY_OF_TEXTS = "if(regexp_matches({0}, '\"\\[+Ljava[.]'), NULL, {0})"
ARRAY_OF_PADDED = (
    f"try(to_json(list_transform(from_json({ARRAY_OF_TEXTS}, '[\"VARCHAR\"]'), lambda e: rtrim(e, ' ')))::VARCHAR)"
)
ARRAY_OF_VALUES = "if(regexp_full_match({0}, '\\[null(,null)*\\]'), NULL, {0})"
