from tests.cases.case import Case


class KeyChangeEqualNumber(Case):
    event = "key change onto an equal numeric key"
    ddl = """
        CREATE TABLE key_change_equal_number (id numeric PRIMARY KEY, note text);
        CREATE TABLE key_change_equal_number_zero (id float8 PRIMARY KEY, note text);
    """
    before = """
        INSERT INTO key_change_equal_number VALUES (1.0, 'before'), (2.50, 'before'), (0, 'before');
        INSERT INTO key_change_equal_number_zero VALUES (0, 'before'), (1.5, 'before');
    """

    def change(self, source, n):
        source.execute("UPDATE key_change_equal_number SET id = round(id, %s)", [1 + n % 4])
        source.execute("UPDATE key_change_equal_number SET id = round(id, 7), note = %s WHERE id = 1", [f"round {n}"])
        source.execute("UPDATE key_change_equal_number_zero SET id = -id, note = %s WHERE id = 0", [f"round {n}"])
