from tests.cases.case import Case


class KeyChangeAndBack(Case):
    event = "key change A→B→A in one transaction"
    ddl = "CREATE TABLE key_change_and_back (id int PRIMARY KEY, note text, big text)"
    before = """
        INSERT INTO key_change_and_back SELECT n, 'before', (SELECT string_agg(md5((n * i)::text), '')
        FROM generate_series(1, 400) i) FROM generate_series(1, 3) n
    """

    def change(self, source, n):
        table = "key_change_and_back"
        with source.transaction():
            source.execute(f"UPDATE {table} SET id = 10 WHERE id = 1")
            source.execute(f"UPDATE {table} SET id = 1 WHERE id = 10")
        with source.transaction():
            source.execute(f"UPDATE {table} SET id = 20, note = %s WHERE id = 2", [f"there in round {n}"])
            source.execute(f"UPDATE {table} SET id = 2, note = note || ' and back' WHERE id = 20")
        with source.transaction():
            source.execute(f"UPDATE {table} SET id = 30 WHERE id = 3")
            source.execute(f"INSERT INTO {table} VALUES (3, 'in between', NULL)")
            source.execute(f"DELETE FROM {table} WHERE id = 3")
            source.execute(f"UPDATE {table} SET id = 3, note = %s WHERE id = 30", [f"round {n}"])
