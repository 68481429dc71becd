from tests.cases.case import Case


class CompositeKey(Case):
    event = "key of several columns"
    ddl = """
        CREATE TABLE composite_key (
            day date, part text, line smallint, qty int, PRIMARY KEY (line, day, part)
        )
    """
    before = (
        "INSERT INTO composite_key SELECT '2026-01-01', p, l, 0 FROM unnest('{a,b}'::text[]) p, generate_series(1, 4) l"
    )

    def change(self, source, n):
        source.execute("UPDATE composite_key SET qty = %s WHERE line = %s", [n, 1 + n % 4])
        source.execute("UPDATE composite_key SET part = part || '+' WHERE line = %s AND length(part) < 9", [1 + n % 4])
        source.execute("UPDATE composite_key SET day = day + 1 WHERE part LIKE 'a%%' AND line = %s", [1 + (n + 1) % 4])
        source.execute("DELETE FROM composite_key WHERE line = %s AND part LIKE 'b%%'", [1 + (n + 2) % 4])
        source.execute("INSERT INTO composite_key VALUES ('2026-02-01', 'b', %s, %s)", [1 + (n + 2) % 4, n])
