from tests.cases.case import Case


class ReplicaIdentityFull(Case):
    event = "replica identity full"
    ddl = """
        CREATE TABLE replica_identity_full (id int PRIMARY KEY, note text, big text);
        ALTER TABLE replica_identity_full REPLICA IDENTITY FULL;
    """
    before = """
        INSERT INTO replica_identity_full SELECT n, 'before', (SELECT string_agg(md5((n * i)::text), '')
        FROM generate_series(1, 400) i) FROM generate_series(1, 5) n
    """

    def change(self, source, n):
        source.execute("UPDATE replica_identity_full SET note = %s", [f"round {n}"])
        source.execute("UPDATE replica_identity_full SET id = 10 - id WHERE id = 1 + %s %% 3", [n])
        source.execute("DELETE FROM replica_identity_full WHERE id = 1 + %s %% 3", [n + 1])
        source.execute(
            "INSERT INTO replica_identity_full VALUES (1 + %s %% 3, NULL, 'small') ON CONFLICT DO NOTHING", [n]
        )
        source.execute("DELETE FROM replica_identity_full WHERE id > 5")
