from tests.cases.case import Case

VALUES = {
    "text": ["''", "' '", "'a''b'", "'a\"b\\c'", "'ÄÖ'", "'🙂'", "'null'", "E'line\\nend'"],
    "uuid": ["md5('0')::uuid", "md5('1')::uuid"],
    "numeric(12, 2)": ["'0'", "'-1.5'", "'1.05'", "'9999999999.99'"],
    "numeric": ["'0'", "'-1.5'", "'1.050'", "'1e30'"],
    "bigint": ["'0'", "'-9223372036854775808'", "'9007199254740993'", "'9223372036854775807'"],
    "timestamp": ["'2026-01-02'", "'2026-01-02 03:04:05.123456'", "'1969-12-31 23:59:59.999999'"],
    "timestamp(3)": ["'2026-01-02 03:04:05.123'", "'1969-12-31 23:59:59.999'"],
    "timestamptz": ["'2026-01-02+00'", "'2026-01-02 03:04:05.123456+02'"],
    "date": ["'2026-02-28'", "'1969-12-31'"],
    "boolean": ["true", "false"],
    "bytea": ["'\\x'", "'\\x00ff'"],
}
COLUMNS = [f"k{n}" for n in range(len(VALUES))]
FIRST = tuple(f"{values[0]}::{kind}" for kind, values in VALUES.items())
KEYS = [
    FIRST,
    # Each other key differs from the first in one column.
    *(
        (*FIRST[:n], f"{value}::{kind}", *FIRST[n + 1 :])
        for n, (kind, values) in enumerate(VALUES.items())
        for value in values[1:]
    ),
]


class KeyTypes(Case):
    event = "key of a type other than integer"
    ddl = (
        f"CREATE TABLE key_types ({', '.join(f'{c} {kind}' for c, kind in zip(COLUMNS, VALUES, strict=True))}, "
        f"note text, PRIMARY KEY ({', '.join(COLUMNS)}))"
    )
    before = ";".join(f"INSERT INTO key_types VALUES ({', '.join(key)})" for key in KEYS)

    def change(self, source, n):
        for first in range(3):
            is_key = " AND ".join(f"{c} = {v}" for c, v in zip(COLUMNS, KEYS[(n + first) % len(KEYS)], strict=True))
            if first == 0:
                source.execute(f"DELETE FROM key_types WHERE {is_key}")
            else:
                source.execute(f"UPDATE key_types SET note = %s WHERE {is_key}", [f"round {n}"])
        again = ", ".join(KEYS[(n - 5) % len(KEYS)])
        source.execute(f"INSERT INTO key_types VALUES ({again}, %s) ON CONFLICT DO NOTHING", [f"again in round {n}"])
