from tests.cases.case import Case


class PrimaryKeyChange(Case):
    event = "primary-key change"
    ddl = """
        CREATE TABLE primary_key_change (id int PRIMARY KEY, name text);
        CREATE TABLE primary_key_change_child (
            name text PRIMARY KEY, parent int REFERENCES primary_key_change ON UPDATE CASCADE ON DELETE CASCADE
        );
    """
    before = """
        INSERT INTO primary_key_change SELECT i, chr(96 + i) FROM generate_series(1, 6) i;
        INSERT INTO primary_key_change_child SELECT 'of ' || name, id FROM primary_key_change;
    """

    def change(self, source, n):
        source.execute("UPDATE primary_key_change SET id = id + 100 WHERE name = 'a'")
        with source.transaction():
            # b and c swap the keys 2 and 3.
            source.execute("UPDATE primary_key_change SET id = id - 10 WHERE name = 'b'")
            source.execute("UPDATE primary_key_change SET id = 5 - id WHERE name = 'c'")
            source.execute("UPDATE primary_key_change SET id = 5 - (id + 10) WHERE name = 'b'")
        # e takes over the key of d, which is deleted and comes back under the key of e.
        source.execute("DELETE FROM primary_key_change WHERE name = 'd'")
        source.execute("UPDATE primary_key_change SET id = 9 - id WHERE name = 'e'")
        source.execute("INSERT INTO primary_key_change SELECT 9 - id, 'd' FROM primary_key_change WHERE name = 'e'")
        source.execute(
            "INSERT INTO primary_key_change_child SELECT 'of d', id FROM primary_key_change WHERE name = 'd'"
        )
