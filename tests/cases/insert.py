from tests.cases.case import Case


class Insert(Case):
    event = "insert"
    ddl = "CREATE TABLE insert (id int PRIMARY KEY, note text, at timestamptz DEFAULT now())"
    before = "INSERT INTO insert VALUES (0, 'of the snapshot')"

    def change(self, source, n):
        first = n % 5 * 10
        source.execute("DELETE FROM insert WHERE id BETWEEN %s AND %s", [first, first + 9])
        source.execute(
            "INSERT INTO insert VALUES (%s, NULL), (%s, ''), (%s, %s)", [first, first + 1, first + 2, f"{n}"]
        )
        source.execute("INSERT INTO insert (id) SELECT %s + i FROM generate_series(3, 6) i", [first])
