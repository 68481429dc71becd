from tests.cases.case import Case


class SnapshotRow(Case):
    event = "snapshot row"
    ddl = "CREATE TABLE snapshot_row (id int PRIMARY KEY, note text)"
    before = "INSERT INTO snapshot_row SELECT i, 'before' FROM generate_series(1, 20) i"

    def change(self, source, n):
        source.execute("UPDATE snapshot_row SET note = %s WHERE id = 1 + %s %% 10", [f"round {n}", n])
        source.execute("DELETE FROM snapshot_row WHERE id = 1 + %s %% 10", [n + 1])
        source.execute("INSERT INTO snapshot_row VALUES (1 + %s %% 10, 'again') ON CONFLICT DO NOTHING", [n + 1])

    def check(self, lake):
        untouched = lake.execute("SELECT DISTINCT note, _cdc_op FROM silver.snapshot_row WHERE id > 10").fetchall()
        assert untouched == [("before", "r")]
