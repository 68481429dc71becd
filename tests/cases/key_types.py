from tests.cases.case import Case

KEYS = {
    "text": ["''", "' '", "'a''b'", "'a\"b\\c'", "'ÄÖ'", "'🙂'", "'null'", "E'line\\nend'"],
    "uuid": [f"md5('{i}')::uuid" for i in range(4)],
    "numeric(12, 2)": ["0", "-1.5", "1.05", "9999999999.99"],
    "numeric": ["0", "-1.5", "1.050", "1e30"],
    "bigint": ["'-9223372036854775808'", "0", "9007199254740993", "9223372036854775807"],
    "timestamp": ["'2026-01-02 03:04:05.123456'", "'1969-12-31 23:59:59.999999'", "'2026-01-02'"],
    "timestamp(3)": ["'2026-01-02 03:04:05.123'", "'1969-12-31 23:59:59.999'"],
    "timestamptz": ["'2026-01-02 03:04:05.123456+02'", "'2026-01-02+00'"],
    "date": ["'2026-02-28'", "'1969-12-31'"],
    "boolean": ["true", "false"],
    "bytea": ["'\\x'", "'\\x00ff'"],
}


class KeyTypes(Case):
    event = "key of another type than integer"
    tables = tuple(f"key_types_{i}" for i in range(len(KEYS)))
    ddl = ";".join(f"CREATE TABLE {t} (id {k} PRIMARY KEY, note text)" for t, k in zip(tables, KEYS, strict=True))
    before = ";".join(
        f"INSERT INTO {table} SELECT unnest(ARRAY[{', '.join(f'{v}::{kind}' for v in values)}]), 'before'"
        for table, (kind, values) in zip(tables, KEYS.items(), strict=True)
    )

    def change(self, source, n):
        for table, (kind, values) in zip(self.tables, KEYS.items(), strict=True):
            updated, deleted = values[n % len(values)], values[(n + 1) % len(values)]
            source.execute(f"UPDATE {table} SET note = %s WHERE id = {updated}::{kind}", [f"round {n}"])
            source.execute(f"DELETE FROM {table} WHERE id = {deleted}::{kind}")
            source.execute(f"INSERT INTO {table} VALUES ({deleted}::{kind}, %s)", [f"again in round {n}"])
