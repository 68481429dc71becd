"""Traffic of orders: placed, paid, shipped, delivered, cancelled, returned, erased."""

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

from psycopg import sql

from connectors.synthetic.pools import CARRIERS, COUPONS, WAREHOUSES, pools
from connectors.synthetic.session import DEFAULT, NothingToDo, Session, Where
from connectors.synthetic.values import large_text

RECENT = 2_000
"""Orders on which people still work."""


def place_order(work: Session) -> None:
    """A customer buys something."""
    with work.transaction():
        add_order(work)


def add_order(work: Session) -> dict[str, Any]:
    """Inserts an order with items and payment inside the transaction that is open, and reserves the goods."""
    rng = work.rng
    customer = work.pick("customers")["customer_id"]
    products = [work.pick("products") for _ in range(rng.randint(1, 5))]
    lines = [
        (product, rng.choice((1, 1, 1, 2, 3)), *work.rows("products", product, "price")[0]) for product in products
    ]
    subtotal = sum((quantity * price for _, quantity, price in lines), Decimal(0))
    order = _add_head(work, customer, subtotal)
    for line_no, (product, quantity, price) in enumerate(lines, 1):
        note = '{"engraving": "A & Ö"}' if rng.random() < 0.05 else None
        values = (*order.values(), line_no, *product.values(), quantity, price, 0, quantity * price, note)
        work.insert("order_items", values)
        for warehouse, *_ in work.rows("inventory", product, "warehouse")[:1]:
            reserved = sql.SQL("reserved + {}").format(quantity)
            work.update("inventory", product | {"warehouse": warehouse}, reserved=reserved, updated_at=work.now)
    (total,) = work.rows("orders", order, "total")[0]
    method = rng.choice(("card", "card", "paypal", "invoice"))
    response = f'{{"code": "authorised", "trace": "{rng.getrandbits(64):016x}"}}'
    score = rng.random() if method == "card" else None
    work.insert("payments", (DEFAULT, *order.values(), method, "authorised", total, score, response, work.now, None))
    return order


def _add_head(work: Session, customer: int, subtotal: Decimal) -> dict[str, Any]:
    rng = work.rng
    addresses = work.rows("addresses", {"customer_id": customer}, "address_id")
    coupons = [rng.choice(COUPONS), None] if rng.random() < 0.1 else None
    discount = Decimal(2 if coupons else 0)
    fee = Decimal("4.90")
    return work.insert(
        "orders",
        (
            DEFAULT,
            customer,
            rng.choice(addresses)[0] if addresses else None,
            "pending",
            "EUR",
            subtotal,
            discount,
            fee,
            subtotal - discount + fee,
            coupons,
            rng.choice(pools().sentences) if rng.random() < 0.2 else None,
            rng.choice(pools().metadata),
            work.now,
            work.local,
            work.now,
        ),
    )


def pay_order(work: Session) -> None:
    """Captures a payment, or fails it and tries another."""
    with work.transaction():
        order = work.pick("orders", recent=RECENT, status="pending")
        if work.rng.random() < 0.1:
            for key in work.update("payments", order | {"status": "authorised"}, status="failed"):
                (amount,) = work.rows("payments", key, "amount")[0]
                values = (*order.values(), "bank_transfer", "authorised", amount, None, None, work.now, None)
                work.insert("payments", (DEFAULT, *values))
        work.update("payments", order | {"status": "authorised"}, status="captured", settled_at=work.local)
        work.update("orders", order, status="paid", updated_at=work.now)


def ship_order(work: Session) -> None:
    """A parcel leaves a warehouse; sometimes two."""
    with work.transaction():
        order = work.pick("orders", recent=RECENT, status="paid")
        for _ in range(work.rng.choice((1, 1, 1, 2))):
            work.insert("shipments", _shipment(work, order))
        for product_id, quantity in work.rows("order_items", order, "product_id", "quantity"):
            for warehouse, *_ in work.rows("inventory", {"product_id": product_id}, "warehouse")[:1]:
                work.update(
                    "inventory",
                    {"product_id": product_id, "warehouse": warehouse},
                    quantity=sql.SQL("quantity - {}").format(quantity),
                    reserved=sql.SQL("greatest(reserved - {}, 0)").format(quantity),
                    updated_at=work.now,
                )
        work.update("orders", order, status="shipped", updated_at=work.now)


def _shipment(work: Session, order: Where) -> tuple[object, ...]:
    rng = work.rng
    return (
        new_tracking_id(work),
        *order.values(),
        rng.choice(CARRIERS),
        rng.choice(WAREHOUSES),
        "in_transit",
        rng.lognormvariate(0.3, 0.8),
        large_text(rng) if rng.random() < 0.1 else None,
        work.today + timedelta(days=3),
        work.now,
        None,
    )


def new_tracking_id(work: Session) -> str:
    """A random key of a shipment."""
    return str(uuid.UUID(int=work.rng.getrandbits(128), version=4))


def deliver_order(work: Session) -> None:
    """All parcels of an order arrive; seldom one is lost."""
    with work.transaction():
        order = work.pick("orders", recent=RECENT, status="shipped")
        status = "lost" if work.rng.random() < 0.02 else "delivered"
        work.update("shipments", order, status=status, delivered_at=work.local if status == "delivered" else None)
        work.update("orders", order, status="delivered", updated_at=work.now)


def cancel_order(work: Session) -> None:
    """An order is given up before it is paid."""
    with work.transaction():
        order = work.pick("orders", recent=RECENT, status="pending")
        work.update("payments", order, status="refunded", settled_at=work.local)
        work.update("orders", order, status="cancelled", updated_at=work.now)


def request_return(work: Session) -> None:
    """An item comes back, sometimes with a photo of the damage."""
    rng = work.rng
    with work.transaction():
        order = work.pick("orders", recent=RECENT * 10, status="delivered")
        items = work.rows("order_items", order, "line_no", "quantity", "line_total")
        if not items:
            raise NothingToDo
        line_no, quantity, refund = rng.choice(items)
        photo = large_text(rng) if rng.random() < 0.3 else None
        values = (*order.values(), line_no, "damaged" if photo else "changed_mind", quantity, refund)
        comment = rng.choice(pools().sentences)
        work.insert("returns", (DEFAULT, *values, None, comment, photo, work.now, None))
        work.update("orders", order, status="returned", updated_at=work.now)


def decide_return(work: Session) -> None:
    """A returned item is looked at, and paid back or not."""
    with work.transaction():
        key = work.pick("returns", recent=200)
        approved = work.rng.random() < 0.9
        work.update("returns", key, is_approved=approved, received_on=work.today)
        if approved:
            ((order_id,),) = work.rows("returns", key, "order_id")
            work.update("payments", {"order_id": order_id, "status": "captured"}, status="refunded")


def withdraw_return(work: Session) -> None:
    """A return was a mistake and is deleted."""
    with work.transaction():
        work.delete("returns", work.pick("returns"))


def erase_order(work: Session) -> None:
    """An order is deleted with everything that belongs to it."""
    with work.transaction():
        order = work.pick("orders")
        for table in ("returns", "shipments", "payments", "order_items", "orders"):
            work.delete(table, order)
