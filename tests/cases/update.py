from tests.cases.case import Case


class Update(Case):
    event = "update"
    ddl = "CREATE TABLE update (id int PRIMARY KEY, note text, total numeric(12, 2), done bool)"
    before = "INSERT INTO update SELECT i, 'before', i, false FROM generate_series(1, 20) i"

    def change(self, source, n):
        source.execute("UPDATE update SET total = total + %s, done = NOT done WHERE id %% 2 = %s", [n, n % 2])
        source.execute("UPDATE update SET note = CASE WHEN id %% 3 = %s THEN NULL ELSE %s END", [n % 3, f"round {n}"])
        with source.transaction():
            for i in range(3):
                source.execute("UPDATE update SET note = %s WHERE id = 1", [f"{n}.{i}"])
        source.execute(
            "INSERT INTO update VALUES (2, 'new') ON CONFLICT (id) DO UPDATE SET note = 'conflict ' || %s", [n]
        )
