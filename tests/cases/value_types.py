import datetime as dt
from decimal import Decimal

from tests.cases.case import Case


class ValueTypes(Case):
    event = "insert"
    ddl = """
        CREATE TYPE value_types_mood AS ENUM ('fine', 'sad');
        CREATE TABLE value_types (
            id int PRIMARY KEY, price numeric(12, 2), rate float8, mood value_types_mood, tags text[], doc jsonb,
            at timestamp, at3 timestamp(3), atz timestamptz, day date, clock time, ok boolean, raw bytea, uid uuid
        )
    """
    before = """
        INSERT INTO value_types VALUES (1, 12.50, 0.1, 'sad', '{a,"b c",NULL}', '{"k": [1, null]}',
            '2026-01-02 03:04:05.123456', '2026-01-02 03:04:05.123', '2026-01-02 03:04:05.123456+02', '2026-02-03',
            '23:59:59.5', true, '\\x00ff', '7f3c2a4e-1b2c-4d5e-8f90-a1b2c3d4e5f6')
    """

    def change(self, source, n):
        source.execute("DELETE FROM value_types WHERE id = 2 + %s %% 9", [n])
        columns = "price, rate, mood, tags, doc, at, at3, atz, day, clock, ok, raw, uid"
        source.execute(f"INSERT INTO value_types SELECT 2 + %s %% 9, {columns} FROM value_types WHERE id = 1", [n])
        source.execute("UPDATE value_types SET mood = 'fine', ok = NULL WHERE id = 2 + %s %% 9", [n + 1])

    def check(self, lake):
        [row] = lake.execute("SELECT * EXCLUDE (id) FROM silver.value_types WHERE id = 1").fetchall()
        assert row[:13] == (
            Decimal("12.50"),
            0.1,
            "sad",
            '["a","b c",null]',
            '{"k": [1, null]}',
            dt.datetime(2026, 1, 2, 3, 4, 5, 123456, dt.UTC),
            dt.datetime(2026, 1, 2, 3, 4, 5, 123000, dt.UTC),
            dt.datetime(2026, 1, 2, 1, 4, 5, 123456, dt.UTC),
            dt.date(2026, 2, 3),
            "23:59:59.5",
            True,
            b"\x00\xff",
            "7f3c2a4e-1b2c-4d5e-8f90-a1b2c3d4e5f6",
        )
