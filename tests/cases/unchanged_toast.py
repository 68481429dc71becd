from tests.cases.case import Case


class UnchangedToast(Case):
    event = "unchanged TOAST value"
    ddl = "CREATE TABLE unchanged_toast (id int PRIMARY KEY, name text, big text)"
    before = """
        INSERT INTO unchanged_toast SELECT n, 'before', (SELECT string_agg(md5((n * i)::text), '')
        FROM generate_series(1, 400) i) FROM generate_series(1, 5) n
    """

    def change(self, source, n):
        source.execute("UPDATE unchanged_toast SET name = 'round ' || %s", [n])
        source.execute("UPDATE unchanged_toast SET big = reverse(big) WHERE id = 1 + %s %% 5", [n])
        source.execute("UPDATE unchanged_toast SET name = name || '!' WHERE id = 1 + %s %% 5", [n])
