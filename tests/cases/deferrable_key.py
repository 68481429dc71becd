from tests.cases.case import Case


class DeferrableKey(Case):
    event = "deferrable primary key"
    ddl = """
        CREATE TABLE deferrable_key (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, note text);
        ALTER TABLE deferrable_key REPLICA IDENTITY FULL;
    """
    before = "INSERT INTO deferrable_key SELECT i, 'row ' || i FROM generate_series(1, 4) i"

    def change(self, source, n):
        source.execute("UPDATE deferrable_key SET id = id + %s", [1 if n % 2 else -1])
        with source.transaction():
            source.execute("INSERT INTO deferrable_key VALUES (3, %s)", [f"twice in round {n}"])
            source.execute("DELETE FROM deferrable_key WHERE id = 3 AND note NOT LIKE %s", [f"%round {n}"])
