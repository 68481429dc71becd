from tests.cases.case import Case


class LogicalMessage(Case):
    event = "logical message"
    ddl = "CREATE TABLE logical_message (id int PRIMARY KEY, note text)"
    before = "INSERT INTO logical_message VALUES (1, 'before')"

    def change(self, source, n):
        with source.transaction():
            source.execute("SELECT pg_logical_emit_message(true, 'of somebody else', %s)", [f"round {n}"])
            source.execute("UPDATE logical_message SET note = %s", [f"round {n}"])
            source.execute("SELECT pg_logical_emit_message(true, 'lakehouse', 'a marker inside of a transaction')")
        source.execute("SELECT pg_logical_emit_message(false, 'of somebody else', 'outside of any transaction')")
        with source.transaction(force_rollback=True):
            source.execute("SELECT pg_logical_emit_message(true, 'lakehouse', 'rolled back')")
