"""Rows of orders, order items, payments, shipments and returns, in order of time."""

import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connectors.synthetic.catalogue import Row
from connectors.synthetic.pools import CARRIERS, COUPONS, WAREHOUSES, pools
from connectors.synthetic.values import large_text, local_stamp, money, skewed, stamp

DAYS = 365
_HOURS = (2, 1, 1, 1, 1, 2, 4, 7, 9, 10, 11, 12, 13, 11, 10, 10, 11, 13, 16, 20, 22, 19, 12, 6)
_WEEKDAYS = (10, 9, 9, 10, 12, 15, 16)
_HOLIDAYS = {11: 1.4, 12: 1.8}  # month: how much more is bought
_GROWTH = 0.6  # within the time that is generated
_CUSTOMER_POWER, _PRODUCT_POWER = 2.5, 2.5
_ITEMS = (1, 2, 3, 4, 5, 6, 8)
_ITEM_WEIGHTS = (22, 25, 20, 14, 9, 6, 4)


@dataclass
class Sales:
    """The rows of some orders, by table."""

    orders: list[Row] = field(default_factory=list)
    order_items: list[Row] = field(default_factory=list)
    payments: list[Row] = field(default_factory=list)
    shipments: list[Row] = field(default_factory=list)
    returns: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class _Line:
    """One order item, before it is written."""

    line_no: int
    product_id: int
    quantity: int
    unit_cents: int
    discount: int

    @property
    def total(self) -> int:
        return self.quantity * self.unit_cents - self.discount


def order_times(orders: int, *, seed: int, epoch: datetime) -> Iterator[datetime]:
    """When each order is placed: ascending, with evenings, week-ends, a high season and growth."""
    rng = random.Random(f"times {seed}")
    weights = [_hour_weight(epoch + timedelta(hours=hour), hour / (DAYS * 24)) for hour in range(DAYS * 24)]
    placed, cumulated, total = 0, 0.0, sum(weights)
    for hour, weight in enumerate(weights):
        cumulated += weight
        due = orders if hour == DAYS * 24 - 1 else int(orders * cumulated / total)
        for second in sorted(rng.uniform(0, 3600) for _ in range(due - placed)):
            yield epoch + timedelta(hours=hour, seconds=second)
        placed = due


def _hour_weight(moment: datetime, progress: float) -> float:
    season = _HOLIDAYS.get(moment.month, 1.0) * (1 + _GROWTH * progress)
    return _HOURS[moment.hour] * _WEEKDAYS[moment.weekday()] * season


class SalesGenerator:
    """Makes orders with everything that belongs to them.

    Args:
        customers: Number of every customer, and of an address of theirs.
        products: Number and price in cents of every product.
        seed: The same seed makes the same rows.
        end: When the last order can be placed.
        payments: Number of the last payment that there is.
        returns: Number of the last return that there is.
    """

    def __init__(
        self,
        customers: Sequence[tuple[int, int | None]],
        products: Sequence[tuple[int, int]],
        *,
        seed: int | str,
        end: datetime,
        payments: int = 0,
        returns: int = 0,
    ) -> None:
        self._customers = customers
        self._products = products
        self._rng = random.Random(f"sales {seed}")
        self._end = end
        self._payments, self._returns = payments, returns

    def add_order(self, sales: Sales, order_id: int, placed: datetime) -> None:
        """Adds the order with its items, payments, shipments and returns."""
        status = self._status((self._end - placed).days)
        lines = self._lines()
        total = self._add_head(sales, order_id, placed, status, subtotal=sum(line.total for line in lines))
        for line in lines:
            sales.order_items.append((order_id, *_item_row(self._rng, line)))
        self._add_payments(sales, order_id, placed, status, total)
        if status in {"shipped", "delivered", "returned"}:
            self._add_shipments(sales, order_id, placed, status)
        if status == "returned" or (status == "delivered" and self._rng.random() < 0.05):
            self._add_return(sales, order_id, placed, self._rng.choice(lines))

    def _status(self, age_days: int) -> str:
        chance = self._rng.random()
        if chance < 0.04:
            return "cancelled"
        if age_days < 1:
            return "pending" if chance < 0.5 else "paid"
        if age_days < 4:
            return "paid" if chance < 0.3 else "shipped"
        return "returned" if chance > 0.97 else "delivered"

    def _lines(self) -> list[_Line]:
        rng = self._rng
        lines = []
        for line_no in range(1, rng.choices(_ITEMS, _ITEM_WEIGHTS)[0] + 1):
            product, cents = self._products[skewed(rng, len(self._products), power=_PRODUCT_POWER)]
            quantity = 1 if rng.random() < 0.8 else rng.randint(2, 6)
            discount = quantity * cents // 10 if rng.random() < 0.12 else 0
            lines.append(_Line(line_no, product, quantity, cents, discount))
        return lines

    def _add_head(self, sales: Sales, order_id: int, placed: datetime, status: str, *, subtotal: int) -> int:
        rng, chance = self._rng, self._rng.random
        customer, address = self._customers[skewed(rng, len(self._customers), power=_CUSTOMER_POWER)]
        coupons = [rng.choice(COUPONS)] if chance() < 0.1 else None
        discount = subtotal // 20 if coupons else 0
        fee = 0 if subtotal > 5_000 else 490
        total = subtotal - discount + fee
        sales.orders.append(
            (
                order_id,
                customer,
                address if chance() < 0.95 else None,
                status,
                "EUR" if chance() < 0.85 else "GBP",
                money(subtotal),
                money(discount),
                money(fee),
                money(total),
                coupons,
                rng.choice(pools().sentences) if chance() < 0.06 else None,
                rng.choice(pools().metadata),
                stamp(placed),
                local_stamp(placed),
                stamp(placed, days=rng.uniform(0, 4)),
            )
        )
        return total

    def _add_payments(self, sales: Sales, order_id: int, placed: datetime, status: str, total: int) -> None:
        rng = self._rng
        method = rng.choices(("card", "paypal", "bank_transfer", "invoice"), (55, 25, 12, 8))[0]
        if rng.random() < 0.05:
            self._add_payment(sales, order_id, method, "failed", total, placed)
        final = {"pending": "authorised", "cancelled": "refunded", "returned": "refunded"}.get(status, "captured")
        by_gift_card = total // 3 if rng.random() < 0.06 else 0
        if by_gift_card:
            self._add_payment(sales, order_id, "gift_card", final, by_gift_card, placed)
        self._add_payment(sales, order_id, method, final, total - by_gift_card, placed + timedelta(minutes=2))

    def _add_payment(self, sales: Sales, order_id: int, method: str, status: str, amount: int, at: datetime) -> None:
        self._payments += 1
        rng = self._rng
        response = f'{{"code": "{status}", "trace": "{rng.getrandbits(64):016x}", "3ds": null}}'
        sales.payments.append(
            (
                self._payments,
                order_id,
                method,
                status,
                money(amount),
                round(rng.random(), 3) if method == "card" else None,
                response if rng.random() < 0.9 else None,
                stamp(at),
                local_stamp(at, hours=rng.uniform(0, 48)) if status in {"captured", "refunded"} else None,
            )
        )

    def _add_shipments(self, sales: Sales, order_id: int, placed: datetime, status: str) -> None:
        rng = self._rng
        for _ in range(2 if rng.random() < 0.04 else 1):
            shipped = placed + timedelta(days=rng.uniform(0.2, 2))
            arrived = local_stamp(shipped, days=rng.uniform(0.5, 4)) if status != "shipped" else None
            sales.shipments.append(
                (
                    str(uuid.UUID(int=rng.getrandbits(128), version=4)),
                    order_id,
                    rng.choice(CARRIERS),
                    rng.choice(WAREHOUSES),
                    "in_transit" if arrived is None else "delivered",
                    rng.lognormvariate(0.3, 0.8) if rng.random() < 0.9 else None,
                    None,
                    (placed + timedelta(days=4)).date().isoformat(),
                    stamp(shipped),
                    arrived,
                )
            )

    def _add_return(self, sales: Sales, order_id: int, placed: datetime, line: _Line) -> None:
        self._returns += 1
        rng = self._rng
        requested = placed + timedelta(days=rng.uniform(3, 20))
        sales.returns.append(
            (
                self._returns,
                order_id,
                line.line_no,
                rng.choices(("damaged", "wrong_item", "late", "changed_mind", "other"), (25, 15, 10, 40, 10))[0],
                line.quantity,
                money(line.total),
                rng.choice((True, True, False, None)),
                rng.choice(pools().sentences) if rng.random() < 0.5 else None,
                large_text(rng) if rng.random() < 0.05 else None,
                stamp(requested),
                (requested + timedelta(days=5)).date().isoformat() if rng.random() < 0.7 else None,
            )
        )


def _item_row(rng: random.Random, line: _Line) -> Row:
    engraving = '{"engraving": "Für Ö. & Ko", "lines": 2}' if rng.random() < 0.02 else None
    amounts = money(line.unit_cents), money(line.discount), money(line.total)
    return line.line_no, line.product_id, line.quantity, *amounts, engraving
