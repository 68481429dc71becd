"""The notebook runs from its first cell to its last, and what it shows is so."""

import json
from decimal import Decimal
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from connectors.postgres.lsn import format_lsn
from connectors.postgres.replication import emit_marker
from connectors.synthetic import count_rows
from flows import drain_cdc

EXAMPLES = Path(__file__).parents[2] / "examples"
REPEAT = """
import json

print(json.dumps({
    "versions": {str(report.table): (before.versions[str(report.table)], report.version) for report in reports},
    "compared": (older, newer),
    "by_status": dict(by_status.rows()),
    "payments": payments.num_rows,
    "net_sales": str(daily_sales["net_sales"].sum()),
    "lag": lag["seconds"].to_list(),
    "changes": changes.rows(),
}))
"""
"""A cell that tells what the cells before it found."""


def executed(notebook):
    """Runs the notebook as it lies in its folder; returns what its cells found."""
    cells = nbformat.read(EXAMPLES / notebook, as_version=4)
    cells.cells.append(new_code_cell(REPEAT))
    NotebookClient(cells, timeout=120, resources={"metadata": {"path": str(EXAMPLES)}}).execute()
    [told] = cells.cells[-1].outputs
    return json.loads(told.text)


def orders_of(shop):
    """Status of each order, and the transaction that wrote its row."""
    rows = shop.execute("SELECT order_id, status::text, xmin::text FROM orders").fetchall()
    return {order: (status, transaction) for order, status, transaction in rows}


def changes_between(before, after):
    """What became of each order that was written between the two."""
    for order in sorted(order for order in before | after if before.get(order) != after.get(order)):
        (was, _), (now, _) = before.get(order, (None, None)), after.get(order, (None, None))
        yield [order, "insert" if was is None else "delete" if now is None else "update", was, now]


@pytest.fixture
def merged_orders(shop):
    """The orders that silver holds; one more was inserted since, one updated and one deleted."""
    drain_cdc(through_lsn=format_lsn(emit_marker(shop)))
    before = orders_of(shop)
    first, second, *_ = sorted(before)
    shop.execute(
        "INSERT INTO orders SELECT (jsonb_populate_record(o, %s::jsonb)).* FROM orders AS o WHERE order_id = %s",
        ['{"order_id": 1000000, "status": "pending"}', first],
    )
    shop.execute("UPDATE orders SET status = 'returned' WHERE order_id = %s", [first])
    for table in ("returns", "shipments", "payments", "order_items", "orders"):
        shop.execute(f"DELETE FROM {table} WHERE order_id = %s", [second])
    return before


def test_notebook_shows_what_is_in_the_shop(shop, merged_orders):
    found = executed("explore.ipynb")

    changes = list(changes_between(merged_orders, orders_of(shop)))
    assert found["changes"] == changes
    assert len(changes) > 3, "there was traffic, too"
    kinds = {order: kind for order, kind, *_ in changes}
    first, second, *_ = sorted(merged_orders)
    assert (kinds[first], kinds[second], kinds[1_000_000]) == ("update", "delete", "insert")

    assert found["compared"] == found["versions"]["public.orders"]
    assert all(older < newer for older, newer in found["versions"].values())
    by_status = shop.execute("SELECT status::text, count(*) FROM orders GROUP BY status").fetchall()
    assert found["by_status"] == dict(by_status)
    assert found["payments"] == count_rows(shop)["payments"]
    [net_sales] = shop.execute("SELECT sum(total) FROM orders WHERE status <> 'cancelled'").fetchone()
    assert Decimal(found["net_sales"]) == net_sales
    assert found["lag"]
    assert min(found["lag"]) > 0
