from tests.cases.case import Case


class ReplicaIdentityDefault(Case):
    event = "replica identity default"
    ddl = """
        CREATE TABLE replica_identity_default (
            id int PRIMARY KEY, note text NOT NULL DEFAULT 'none', total numeric(8, 2) NOT NULL DEFAULT 1, big text
        )
    """
    before = "INSERT INTO replica_identity_default (id) SELECT generate_series(1, 9)"

    def change(self, source, n):
        source.execute("UPDATE replica_identity_default SET note = %s WHERE id = 1 + %s %% 9", [f"round {n}", n])
        # The event of a delete holds no more than the key: the values are those from before.
        source.execute("DELETE FROM replica_identity_default WHERE id = 1 + %s %% 9", [n])
        source.execute("INSERT INTO replica_identity_default (id) SELECT 1 + %s %% 9 WHERE %s %% 3 > 0", [n, n])

    def check(self, lake):
        deleted = lake.execute("SELECT note FROM stored.replica_identity_default WHERE _cdc_deleted").fetchall()
        assert all(note.startswith("round") for (note,) in deleted)
