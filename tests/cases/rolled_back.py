from tests.cases.case import Case


class RolledBack(Case):
    event = "rolled-back change"
    ddl = "CREATE TABLE rolled_back (id int PRIMARY KEY, note text)"
    before = "INSERT INTO rolled_back SELECT i, 'before' FROM generate_series(1, 9) i"

    def change(self, source, n):
        with source.transaction(force_rollback=True):
            source.execute("DELETE FROM rolled_back WHERE id = 1")
            source.execute("UPDATE rolled_back SET note = 'never'")
        with source.transaction():
            source.execute("UPDATE rolled_back SET note = %s WHERE id = 1 + %s %% 9", [f"round {n}", n])
            with source.transaction(force_rollback=True):
                source.execute("UPDATE rolled_back SET note = 'never'")
                source.execute("INSERT INTO rolled_back VALUES (10, 'never')")
            with source.transaction():
                source.execute("UPDATE rolled_back SET note = note || '!' WHERE id = 1 + %s %% 9", [n])

    def check(self, lake):
        assert lake.execute("SELECT count(*) FROM stored.rolled_back WHERE note = 'never'").fetchone() == (0,)
