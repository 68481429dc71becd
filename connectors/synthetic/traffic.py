"""Live traffic on the shop: many small transactions over all tables, the hard cases among them."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import psycopg

from connectors.errors import ConfigurationError
from connectors.synthetic import edge_cases, ordering, upkeep
from connectors.synthetic.edge_cases import HARD_CASES
from connectors.synthetic.session import NothingToDo, Session
from connectors.synthetic.shop import TABLES

_WEIGHTS: dict[Callable[[Session], None], float] = {
    ordering.place_order: 24,
    ordering.pay_order: 16,
    ordering.ship_order: 12,
    ordering.deliver_order: 10,
    ordering.cancel_order: 2,
    ordering.request_return: 3,
    ordering.decide_return: 2,
    ordering.withdraw_return: 1,
    ordering.erase_order: 1,
    upkeep.register_customer: 4,
    upkeep.edit_customer: 5,
    upkeep.forget_customer: 1,
    upkeep.move_customer: 3,
    upkeep.remove_address: 1,
    upkeep.add_category: 1,
    upkeep.edit_category: 1,
    upkeep.drop_category: 1,
    upkeep.add_product: 2,
    upkeep.edit_product: 3,
    upkeep.change_price: 4,
    upkeep.withdraw_product: 1,
    upkeep.restock: 6,
    upkeep.clear_stock: 1,
    edge_cases.unchanged_large_value: 1,
    edge_cases.changed_key: 1,
    edge_cases.reinserted_key: 1,
    edge_cases.rollback: 1,
    edge_cases.repeated_update: 1,
}

DEFAULT_MIX: Mapping[str, float] = {operation.__name__: weight for operation, weight in _WEIGHTS.items()}
"""How often each operation happens, relative to the others."""

_OPERATIONS = {operation.__name__: operation for operation in _WEIGHTS}


@dataclass(frozen=True)
class TrafficCounts:
    """What was done.

    Attributes:
        transactions: Transactions, those rolled back included.
        inserts: Rows inserted and kept, by table.
        updates: Rows updated, by table; also those that followed a changed key.
        deletes: Rows deleted, by table.
        hard_cases: How often each hard case occurred, by name.
    """

    transactions: int
    inserts: Mapping[str, int]
    updates: Mapping[str, int]
    deletes: Mapping[str, int]
    hard_cases: Mapping[str, int]

    def __add__(self, other: "TrafficCounts") -> "TrafficCounts":
        """Both together."""
        return TrafficCounts(
            self.transactions + other.transactions,
            _sum(self.inserts, other.inserts),
            _sum(self.updates, other.updates),
            _sum(self.deletes, other.deletes),
            _sum(self.hard_cases, other.hard_cases),
        )

    def __str__(self) -> str:
        lines = [f"{'table':<14}{'inserts':>9}{'updates':>9}{'deletes':>9}"]
        for table in TABLES:
            lines.append(f"{table:<14}{self.inserts[table]:>9,}{self.updates[table]:>9,}{self.deletes[table]:>9,}")
        lines.append(f"\n{'hard case':<32}{'times':>9}")
        lines.extend(f"{name.replace('_', ' '):<32}{times:>9,}" for name, times in self.hard_cases.items())
        lines.append(f"\n{self.transactions:,} transactions")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """All counts, for JSON."""
        return asdict(self)


def apply_traffic(
    conn: psycopg.Connection[Any],
    *,
    seed: int,
    transactions: int | None = None,
    mix: Mapping[str, float] = DEFAULT_MIX,
    rate: float | None = None,
    stop: threading.Event | None = None,
) -> TrafficCounts:
    """Applies traffic until enough transactions are done or `stop` is set.

    Args:
        conn: Connection to a filled shop, outside any transaction.
        seed: The same seed does the same to the same tables.
        transactions: At least so many, as some operations need two; None: no end.
        mix: How often each operation happens, relative to the others.
        rate: Transactions per second, on average; None: as fast as it goes.
        stop: Ends the traffic after the transaction that is open.

    Raises:
        ConfigurationError: The shop has no orders, or `mix` names an unknown operation.
    """
    if unknown := set(mix) - set(_OPERATIONS):
        raise ConfigurationError(
            f"no such operation: {', '.join(sorted(unknown))}", hint=f"One of {', '.join(_OPERATIONS)}."
        )
    traffic, stop = _Traffic(conn, seed=seed), stop or threading.Event()
    started = time.monotonic()
    while not stop.is_set() and (transactions is None or traffic.session.transactions < transactions):
        traffic.run_any(mix)
        if rate is not None:
            stop.wait(max(0.0, started + traffic.session.transactions / rate - time.monotonic()))
    return traffic.counts()


def hard_cases(conn: psycopg.Connection[Any], *, seed: int, each: int = 50) -> TrafficCounts:
    """Performs every hard case at least `each` times, in random order, with normal traffic in between.

    Args:
        conn: Connection to a filled shop, outside any transaction.
        seed: The same seed does the same to the same tables.
        each: How often.

    Raises:
        ConfigurationError: The shop has no orders.
    """
    traffic = _Traffic(conn, seed=seed)
    schedule = [name for name in HARD_CASES for _ in range(each)]
    traffic.session.rng.shuffle(schedule)
    for name in schedule:
        traffic.run(name)
        traffic.run_any(DEFAULT_MIX)
    return traffic.counts()


class _Traffic:
    """Runs operations by name and counts."""

    def __init__(self, conn: psycopg.Connection[Any], *, seed: int) -> None:
        self.session = Session(conn, seed=seed)
        self._hard: Counter[str] = Counter(dict.fromkeys(HARD_CASES, 0))

    def run_any(self, mix: Mapping[str, float]) -> None:
        self.run(self.session.rng.choices(list(mix), list(mix.values()))[0])

    def run(self, name: str) -> None:
        if name in HARD_CASES:
            while not self._attempt(name):
                pass  # the table it chose had no row; the dice go on and choose another
            self._hard[name] += 1
        elif not self._attempt(name):
            self._attempt("place_order")

    def _attempt(self, name: str) -> bool:
        try:
            _OPERATIONS[name](self.session)
        except NothingToDo:
            return False
        return True

    def counts(self) -> TrafficCounts:
        changes = self.session.changes
        inserts, updates, deletes = (
            {table: changes[verb, table] for table in TABLES} for verb in ("insert", "update", "delete")
        )
        return TrafficCounts(self.session.transactions, inserts, updates, deletes, dict(self._hard))


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in (*one, *(n for n in other if n not in one))}
