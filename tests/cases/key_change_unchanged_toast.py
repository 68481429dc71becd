from tests.cases.case import Case


class KeyChangeUnchangedToast(Case):
    event = "key change with an unchanged TOAST value"
    ddl = "CREATE TABLE key_change_unchanged_toast (id int PRIMARY KEY, note text, big text)"
    before = """
        INSERT INTO key_change_unchanged_toast SELECT n, 'before', (SELECT string_agg(md5((n * i)::text), '')
        FROM generate_series(1, 400) i) FROM generate_series(1, 5) n
    """

    def change(self, source, n):
        table = "key_change_unchanged_toast"
        source.execute(f"UPDATE {table} SET id = id + 10 * (CASE WHEN id > 50 THEN -5 ELSE 1 END) WHERE id % 10 = 1")
        with source.transaction():
            source.execute(f"UPDATE {table} SET id = id + 100 WHERE id = 2")
            source.execute(f"UPDATE {table} SET note = %s WHERE id = 102", [f"moved in round {n}"])
            source.execute(f"UPDATE {table} SET id = id - 100 WHERE id = 102")
            source.execute(f"UPDATE {table} SET id = id + 1000 WHERE id = 3")
        with source.transaction():
            source.execute(f"UPDATE {table} SET big = reverse(big), id = id - 1000 WHERE id = 1003")
            source.execute(f"UPDATE {table} SET note = note || '!' WHERE id = 4")
            source.execute(f"UPDATE {table} SET id = 5000 WHERE id = 4")
            source.execute(f"UPDATE {table} SET id = 4 WHERE id = 5")
            source.execute(f"UPDATE {table} SET id = 5, note = 'was 4' WHERE id = 5000")
