from tests.cases.case import Case


class TableWithoutKey(Case):
    event = "change of a table without a primary key"
    ddl = "CREATE TABLE table_without_key (note text); ALTER TABLE table_without_key REPLICA IDENTITY FULL"
    before = "INSERT INTO table_without_key VALUES ('twice'), ('twice'), (NULL)"

    def change(self, source, n):
        source.execute("INSERT INTO table_without_key VALUES (%s), (%s), (%s)", [f"round {n}"] * 2 + ["same"])
        source.execute("UPDATE table_without_key SET note = 'changed' WHERE note = %s", [f"round {n - 1}"])
        source.execute("DELETE FROM table_without_key WHERE note = 'same'")
        source.execute("DELETE FROM table_without_key WHERE note = 'changed' AND %s %% 5 = 0", [n])
