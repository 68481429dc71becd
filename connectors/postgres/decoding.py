r"""DuckDB expressions from Debezium's text of a value, `{0}`, to what silver keeps; NULL where it can't be read.

None of them fails, whatever the text: a failure would keep all other rows of a merge from silver.
Other fields in braces are what a column declares; see `connectors.postgres.types.rule_for`.
"""

TEXT = "{0}"
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
POINT = "try('(' || json_extract_string({0}, '$.x') || ',' || json_extract_string({0}, '$.y') || ')')"

# An array of several dimensions arrives as Java's name of what is inside, or as nothing but NULLs.
ARRAY_OF_TEXTS = "if(regexp_matches({0}, '\"\\[+Ljava[.]'), NULL, {0})"
ARRAY_OF_VALUES = "if(regexp_full_match({0}, '\\[null(,null)*\\]'), NULL, {0})"
