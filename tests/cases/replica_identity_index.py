from tests.cases.case import Case


class ReplicaIdentityIndex(Case):
    event = "replica identity using index"
    ddl = """
        CREATE TABLE replica_identity_index (id int PRIMARY KEY, code text NOT NULL, site int NOT NULL, note text);
        CREATE UNIQUE INDEX replica_identity_index_code ON replica_identity_index (site, code);
        ALTER TABLE replica_identity_index REPLICA IDENTITY USING INDEX replica_identity_index_code;
        CREATE TABLE replica_identity_index_alone (note text, code text NOT NULL UNIQUE);
        ALTER TABLE replica_identity_index_alone REPLICA IDENTITY USING INDEX replica_identity_index_alone_code_key;
    """
    before = """
        INSERT INTO replica_identity_index SELECT i, 'c' || i, i % 2, 'before' FROM generate_series(1, 9) i;
        INSERT INTO replica_identity_index_alone SELECT 'before', 'c' || i FROM generate_series(1, 9) i;
    """

    def change(self, source, n):
        source.execute("UPDATE replica_identity_index SET id = -id, note = %s WHERE code = %s", [f"{n}", f"c{n % 9}"])
        source.execute("UPDATE replica_identity_index SET site = 1 - site WHERE code = %s", [f"c{(n + 1) % 9}"])
        for table in ("replica_identity_index", "replica_identity_index_alone"):
            source.execute(f"UPDATE {table} SET note = %s WHERE code = %s", [f"round {n}", f"c{(n + 2) % 9}"])
            source.execute(f"UPDATE {table} SET code = 'x' WHERE code = %s", [f"c{(n + 3) % 9}"])
            source.execute(f"DELETE FROM {table} WHERE code = %s", [f"c{(n + 4) % 9}"])
            source.execute(f"UPDATE {table} SET code = %s WHERE code = 'x'", [f"c{(n + 4) % 9}"])
        code = f"c{(n + 3) % 9}"
        source.execute("INSERT INTO replica_identity_index_alone VALUES ('again', %s) ON CONFLICT DO NOTHING", [code])
        free = "min(i) FROM generate_series(1, 99) i WHERE i NOT IN (SELECT abs(id) FROM replica_identity_index)"
        source.execute(f"INSERT INTO replica_identity_index VALUES ((SELECT {free}), %s, 0, 'again')", [code])
