from concurrent.futures import ThreadPoolExecutor

from tests.cases.case import Case, second_connection


class OverlappingTransactions(Case):
    event = "overlapping transactions"
    ddl = "CREATE TABLE overlapping_transactions (id int PRIMARY KEY, note text)"
    before = "INSERT INTO overlapping_transactions SELECT i, 'before' FROM generate_series(1, 5) i"

    def change(self, source, n):
        update = f"UPDATE overlapping_transactions SET note = note || ', {n}' WHERE id = %s"
        with second_connection(source) as other:
            # What is written first is committed last.
            other.execute(update, [1])
            source.execute(update, [2])
            with source.transaction():
                source.execute(update, [3])
                other.execute(update, [4])
                other.commit()
                source.execute(update, [1])
            other.execute(update, [3])
        self._insert_that_waits(source, n)
        source.execute("UPDATE overlapping_transactions SET note = right(note, 40)")

    def _insert_that_waits(self, source, n):
        """The insert is in the log before the delete that it waits for."""
        with second_connection(source) as other, ThreadPoolExecutor(1) as pool:
            with source.transaction():
                source.execute("UPDATE overlapping_transactions SET note = 'to be deleted' WHERE id = 5")
                insert = "INSERT INTO overlapping_transactions VALUES (5, %s)"
                waiting = pool.submit(other.execute, insert, [f"after the delete of round {n}"])
                blocked = "SELECT cardinality(pg_blocking_pids(%s)) > 0"
                while source.execute(blocked, [other.info.backend_pid]).fetchone() == (False,):
                    assert not waiting.done()
                source.execute("DELETE FROM overlapping_transactions WHERE id = 5")
            waiting.result()
