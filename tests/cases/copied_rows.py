from tests.cases.case import Case


class CopiedRows(Case):
    event = "rows of one COPY"
    ddl = """
        CREATE TABLE copied_rows (id int PRIMARY KEY, note text);
        CREATE TABLE copied_rows_keyless (note text);
        ALTER TABLE copied_rows_keyless REPLICA IDENTITY FULL;
    """
    before = "INSERT INTO copied_rows VALUES (100, 'before'); INSERT INTO copied_rows_keyless VALUES ('before')"

    def change(self, source, n):
        first = n % 3 * 10
        source.execute("DELETE FROM copied_rows WHERE id BETWEEN %s AND %s", [first, first + 9])
        source.execute("DELETE FROM copied_rows_keyless WHERE note = %s", [f"round {n - 3}"])
        with source.cursor() as cursor:
            with cursor.copy("COPY copied_rows FROM STDIN") as copy:
                for i in range(10):
                    copy.write_row([first + i, f"round {n}"])
            with cursor.copy("COPY copied_rows_keyless FROM STDIN") as copy:
                for _ in range(3):
                    copy.write_row([f"round {n}"])
