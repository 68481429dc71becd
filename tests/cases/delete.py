from tests.cases.case import Case


class Delete(Case):
    event = "delete"
    ddl = "CREATE TABLE delete (id int PRIMARY KEY, note text)"
    before = "INSERT INTO delete SELECT i, 'before' FROM generate_series(1, 20) i"

    def change(self, source, n):
        source.execute("INSERT INTO delete VALUES (%s, 'short-lived')", [21 + n % 10])
        source.execute("DELETE FROM delete WHERE id = %s", [21 + n % 10])
        source.execute("DELETE FROM delete WHERE id = 1 + %s %% 10", [n])
        with source.transaction():
            source.execute("DELETE FROM delete WHERE id > 10")
            source.execute("INSERT INTO delete SELECT i, 'again in round ' || %s FROM generate_series(11, 20) i", [n])
        source.execute("INSERT INTO delete VALUES (1 + %s %% 10, 'next time') ON CONFLICT DO NOTHING", [n + 5])

    def check(self, lake):
        [(kept, deleted)] = lake.execute(
            "SELECT count(*), count(*) FILTER (_cdc_op = 'd') FROM stored.delete WHERE _cdc_deleted"
        ).fetchall()
        assert kept == deleted > 0
