from tests.cases.case import Case


class PartitionedTable(Case):
    event = "partitioned table"
    ddl = """
        CREATE TABLE partitioned_table (id int, region text, note text, PRIMARY KEY (id, region))
            PARTITION BY LIST (region);
        CREATE TABLE partitioned_table_north PARTITION OF partitioned_table FOR VALUES IN ('north');
        CREATE TABLE partitioned_table_south (note text, gone int, region text NOT NULL, id int NOT NULL);
        ALTER TABLE partitioned_table_south DROP gone;
        ALTER TABLE partitioned_table ATTACH PARTITION partitioned_table_south FOR VALUES IN ('south');
        CREATE TABLE partitioned_table_rest PARTITION OF partitioned_table DEFAULT;
    """
    before = """
        INSERT INTO partitioned_table SELECT i, (ARRAY['north', 'south', 'east'])[1 + i % 3], 'before'
        FROM generate_series(1, 12) i
    """

    def change(self, source, n):
        source.execute("UPDATE partitioned_table SET note = %s WHERE id = 1 + %s %% 12", [f"round {n}", n])
        source.execute("UPDATE partitioned_table SET region = 'south' WHERE region = 'north' AND id %% 2 = %s", [n % 2])
        source.execute("UPDATE partitioned_table SET region = 'west' WHERE region = 'south' AND id %% 3 = %s", [n % 3])
        source.execute("UPDATE partitioned_table SET region = 'north' WHERE region = 'west' AND id %% 5 = %s", [n % 5])
        source.execute("DELETE FROM partitioned_table_south WHERE id = 1 + %s %% 12", [n])
        missing = "FROM generate_series(1, 12) i WHERE i NOT IN (SELECT id FROM partitioned_table)"
        source.execute(f"INSERT INTO partitioned_table SELECT i, 'south', 'again' {missing}")
        source.execute("DELETE FROM partitioned_table WHERE id = 13")
        source.execute("INSERT INTO partitioned_table_north VALUES (13, 'north', %s)", [f"round {n}"])
