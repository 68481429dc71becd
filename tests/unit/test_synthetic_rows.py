"""The rows of a new shop: the same for one seed, and skewed as in real shops."""

import subprocess
import sys
from collections import Counter
from datetime import datetime
from decimal import Decimal

import pytest

from connectors.synthetic import TABLES, generate_rows

ORDERS = 3_000


def shop(*, seed=7, orders=ORDERS):
    rows = {table: [] for table in TABLES}
    for table, portion in generate_rows(orders=orders, seed=seed):
        rows[table].extend(portion)
    return rows


@pytest.fixture(scope="module")
def rows():
    return shop()


def share_of_top(keys, fraction):
    counts = sorted(Counter(keys).values(), reverse=True)
    return sum(counts[: max(1, int(len(counts) * fraction))]) / sum(counts)


def test_same_seed_makes_same_rows(rows):
    assert shop() == rows


def test_other_process_makes_same_rows():
    code = (
        "import hashlib; from connectors.synthetic import generate_rows; "
        "print(hashlib.sha256(repr([(t, list(r)) for t, r in generate_rows(orders=200, seed=1)]).encode()).hexdigest())"
    )
    first, second = (
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": salt},
            capture_output=True,
            check=True,
        ).stdout
        for salt in ("1", "2")
    )
    assert first == second != b""


def test_other_seed_makes_other_rows(rows):
    other = shop(seed=8)
    assert [table for table in TABLES if other[table] == rows[table]] == ["categories"]


def test_every_table_has_rows_in_proportion(rows):
    counts = {table: len(portion) for table, portion in rows.items()}
    assert min(counts.values()) > 0
    assert counts["orders"] == ORDERS
    assert 2.5 < counts["order_items"] / ORDERS < 3.5
    assert counts["payments"] > ORDERS
    assert 0.04 < counts["returns"] / ORDERS < 0.12


def test_keys_are_unique_and_orders_ascend_in_time(rows):
    assert len({row[0] for row in rows["shipments"]}) == len(rows["shipments"])
    assert [row[0] for row in rows["orders"]] == list(range(1, ORDERS + 1))
    placed = [row[12] for row in rows["orders"]]
    assert placed == sorted(placed)


def test_few_customers_and_products_make_most_sales(rows):
    assert share_of_top([row[1] for row in rows["orders"]], 0.2) > 0.4
    assert share_of_top([row[2] for row in rows["order_items"]], 0.2) > 0.4


def test_evenings_and_december_are_busy(rows):
    placed = [datetime.fromisoformat(row[12]) for row in rows["orders"]]
    hours, months = Counter(moment.hour for moment in placed), Counter(moment.month for moment in placed)
    assert hours[19] > 5 * hours[3]
    assert months[12] > 1.5 * months[2]


def test_prices_are_log_normal(rows):
    prices = sorted(float(row[5]) for row in rows["products"])
    median, mean = prices[len(prices) // 2], sum(prices) / len(prices)
    assert mean > 1.2 * median


def test_money_of_an_order_adds_up(rows):
    lines = Counter()
    for row in rows["order_items"]:
        lines[row[0]] += Decimal(row[6])
    paid = Counter()
    for row in rows["payments"]:
        paid[row[1]] += Decimal(row[4]) if row[3] != "failed" else 0
    for order in rows["orders"]:
        subtotal, discount, fee, total = map(Decimal, order[5:9])
        assert subtotal == lines[order[0]]
        assert total == subtotal - discount + fee == paid[order[0]]


def test_small_shop_is_possible():
    assert all(shop(orders=60).values())
