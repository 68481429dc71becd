from tests.cases.case import Case


class GeneratedColumn(Case):
    event = "generated column"
    ddl = """
        CREATE TABLE generated_column (
            id int PRIMARY KEY, price numeric(10, 2), qty int,
            total numeric(12, 2) GENERATED ALWAYS AS (price * qty) STORED,
            half int GENERATED ALWAYS AS (qty / 2) VIRTUAL
        )
    """
    before = "INSERT INTO generated_column SELECT i, i, i FROM generate_series(1, 9) i"

    def change(self, source, n):
        source.execute("UPDATE generated_column SET qty = %s WHERE id = 1 + %s %% 9", [n % 1000, n])
        source.execute("UPDATE generated_column SET price = NULL WHERE id = 1 + %s %% 9", [n + 1])
        source.execute("DELETE FROM generated_column WHERE id = 1 + %s %% 9", [n + 2])
        source.execute("INSERT INTO generated_column (id, price, qty) VALUES (1 + %s %% 9, 1.05, 3)", [n + 2])

    def check(self, lake):
        assert lake.execute("SELECT count(*) FROM silver.generated_column WHERE total <> price * qty").fetchone() == (
            0,
        )
