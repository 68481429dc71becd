from tests.cases.case import Case


class Truncate(Case):
    event = "truncate"
    ddl = """
        CREATE TABLE truncate (id int PRIMARY KEY, note text);
        CREATE TABLE truncate_child (id int PRIMARY KEY, parent int REFERENCES truncate);
        CREATE TABLE truncate_keyless (note text);
        ALTER TABLE truncate_keyless REPLICA IDENTITY FULL;
    """
    before = """
        INSERT INTO truncate SELECT i, 'before' FROM generate_series(1, 9) i;
        INSERT INTO truncate_child SELECT i, i FROM generate_series(1, 9) i;
        INSERT INTO truncate_keyless VALUES ('twice'), ('twice'), (NULL);
    """

    def change(self, source, n):
        source.execute("TRUNCATE truncate, truncate_keyless CASCADE")
        source.execute("INSERT INTO truncate VALUES (1, %s), (2, 'soon gone')", [f"after the first of round {n}"])
        source.execute("INSERT INTO truncate_child VALUES (1, 2)")
        source.execute("INSERT INTO truncate_keyless VALUES ('soon gone'), ('soon gone'), (NULL)")
        with source.transaction():
            source.execute("UPDATE truncate SET note = 'gone at once'")
            source.execute("INSERT INTO truncate_keyless VALUES ('gone at once')")
            source.execute("TRUNCATE truncate_child, truncate, truncate_keyless")
            source.execute("INSERT INTO truncate VALUES (2, %s), (3, NULL)", [f"after the second of round {n}"])
            source.execute("INSERT INTO truncate_keyless VALUES ('left'), (NULL)")
        source.execute("INSERT INTO truncate_child VALUES (%s, 3)", [n % 7])
