"""A model of PostgreSQL: one table, transactions that are open at the same time, and the log of what they committed."""

from typing import NamedTuple

KEPT = "kept"
"""What an update says of a column that it does not touch."""

TOASTED = "toasted"
"""How values begin that are stored out of line: an update that does not touch one leaves it out of the log."""


class Change(NamedTuple):
    """One change in the log; `kept` names the columns whose values it leaves out."""

    op: str
    lsn: int
    key: int | None = None
    row: dict | None = None
    before: dict | None = None
    kept: frozenset = frozenset()
    old_key: int | None = None


class Commit(NamedTuple):
    lsn: int


def replay(rows, changes):
    """The reference: what changes make of the rows of a table."""
    for change in changes:
        if change.op == "t":
            rows.clear()
        elif change.op == "d":
            del rows[change.key]
        else:
            rows[change.key] = change.row
    return rows


class Database:
    """One table. A transaction is a name; `None` stands for one that is committed at once.

    Without a key in the table, keys are what PostgreSQL finds its rows by; equal rows are possible then.
    """

    def __init__(self, *, has_key=True):
        self.has_key = has_key
        self.rows = {}
        self.open = {}
        self.waiting = {}
        self.log = []
        self.lsn = 0
        self.added = set()

    def next_lsn(self):
        self.lsn += 8
        return self.lsn

    def visible(self, transaction):
        """The rows that a transaction sees: what is committed, and its own changes."""
        return replay(dict(self.rows), self.open.get(transaction, []))

    def can_write(self, transaction, *keys):
        """No other open transaction holds a lock on these rows, or on the whole table; nor does it wait for one."""
        others = [c for name, changes in self.open.items() if name != transaction for c in changes]
        return transaction not in self.waiting and not any(c.op == "t" or c.key in keys for c in others)

    def can_truncate(self, transaction):
        return not self.waiting and not any(changes for name, changes in self.open.items() if name != transaction)

    @property
    def can_read(self):
        """No transaction holds the lock of a truncation."""
        return not any(change.op == "t" for changes in self.open.values() for change in changes)

    @property
    def can_alter(self):
        """No transaction holds a lock on the table, or waits for one."""
        return not self.waiting and not any(self.open.values())

    def add_column(self, name, constant):
        """Adds a column; the rows that are there have a constant in it, which no log tells."""
        self.added.add(name)
        self.rows = {key: {**row, name: constant} for key, row in self.rows.items()}

    def drop_column(self, name):
        """Drops a column that was added; no log tells."""
        self.added.remove(name)
        self.rows = {key: {c: v for c, v in row.items() if c != name} for key, row in self.rows.items()}

    @property
    def can_end(self):
        return sorted(name for name in self.open if name not in self.waiting)

    @property
    def can_wait(self):
        """Inserts that would wait: who waits, for whom, and the key that the other one writes at the moment."""
        return [
            (waiting, other, change.key)
            for other in self.can_end
            if not any(change.op == "t" for change in self.open[other])
            for waiting in {"A", "B"} - {other} - self.waiting.keys()
            for change in self.open[other]
        ]

    def write(self, transaction, key, **values):
        """Inserts or updates a row."""
        self._do(transaction, self._written(self.visible(transaction).get(key), key, self.next_lsn(), values))

    def copy(self, transaction, keys, **values):
        """Inserts rows that share an LSN."""
        lsn = self.next_lsn()
        self._do(transaction, *(self._written(None, key, lsn, values) for key in keys))

    def insert_and_wait(self, who, **values):
        """Inserts a row, which is in the log already when another transaction's lock is met."""
        transaction, other, key = who
        self.open.setdefault(transaction, [])
        self.waiting[transaction] = (other, self._written(None, key, self.next_lsn(), values))

    def delete(self, transaction, key):
        self._do(transaction, Change("d", self.next_lsn(), key, before=self.visible(transaction)[key]))

    def move(self, transaction, key, to, **values):
        """Updates a row's key."""
        lsn, old = self.next_lsn(), self.visible(transaction)[key]
        inserted = self._written(old, to, lsn, values)._replace(op="c", before=None, old_key=key)
        self._do(transaction, Change("d", lsn, key, before=old), inserted)

    def truncate(self, transaction):
        self._do(transaction, Change("t", self.next_lsn()))

    def commit(self, transaction):
        changes = self.open.pop(transaction)
        replay(self.rows, changes)
        self.write_log(*changes)
        self._go_on(transaction)

    def roll_back(self, transaction):
        del self.open[transaction]
        self._go_on(transaction)

    def crash(self):
        """All that is open is rolled back."""
        self.open.clear()
        self.waiting.clear()

    def _go_on(self, ended):
        """Who waited for a transaction has inserted its row now, or fails because there is one."""
        for name, (other, change) in list(self.waiting.items()):
            if other == ended:
                del self.waiting[name]
                if change.key in self.visible(name):
                    self.roll_back(name)
                else:
                    self._do(name, change)

    def write_log(self, *entries):
        """Writes what one transaction did."""
        self.log += [*entries, Commit(self.next_lsn())]

    def _do(self, transaction, *changes):
        self.open.setdefault(transaction, []).extend(changes)
        if transaction is None:
            self.commit(None)

    def _written(self, old, key, lsn, values):
        identity = {"id": key, "name": f"n{lsn}"} if self.has_key else {"name": "n"}
        if old is None:
            identity |= {name: f"{name} {lsn % 3}" if lsn % 3 else None for name in self.added}
            return Change("c", lsn, key, identity | {c: TOASTED if v == KEPT else v for c, v in values.items()})
        kept = {c for c, v in values.items() if v == KEPT}
        row = old | identity | {c: v for c, v in values.items() if c not in kept}
        left_out = {c for c in kept if self.has_key and str(old[c]).startswith(TOASTED)}
        return Change("u", lsn, key, row, old, frozenset(left_out))
