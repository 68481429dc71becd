"""Visits of the shop's web site: sessions, carts and clicks, some of which end in an order."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

Item = dict[str, dict[str, Any]]
"""An item of DynamoDB."""

_WITHOUT_ORDER = 1.5  # visits for each order
_ABANDONED = 0.3
_LIFE = timedelta(days=30)
_DEVICES = (
    ("phone", "Android", "15"),
    ("phone", "iOS", "19.1"),
    ("desktop", "Windows", "11"),
    ("tablet", "iPadOS", "19"),
)
_CAMPAIGNS = ("newsletter", "autumn", "search", "retargeting", "influencer")
_REFERRERS = ("https://search.example", "https://news.example/gifts", "https://video.example")


@dataclass(frozen=True)
class OrderLine:
    """A line of an order."""

    product_id: int
    quantity: int
    cents: int


@dataclass(frozen=True)
class PlacedOrder:
    """An order that a visit ends in."""

    order_id: int
    customer_id: int
    placed_at: datetime
    lines: tuple[OrderLine, ...]


@dataclass(frozen=True)
class Visit:
    """One visit.

    Attributes:
        session: Item of the table `sessions`.
        cart: Item of the table `carts`; None: nothing was put into one.
        clicks: Objects of the click stream, each with its time.
    """

    session: Item
    cart: Item | None
    clicks: tuple[tuple[datetime, dict[str, Any]], ...]


def visits_of(orders: Sequence[PlacedOrder], *, seed: int) -> Iterator[Visit]:
    """Yields the visits of some orders, and others around them that came to nothing; the same for the same seed."""
    if not orders:
        return
    products = sorted({(line.product_id, line.cents) for order in orders for line in order.lines})
    customers = sorted({order.customer_id for order in orders})
    for order in orders:
        rng = random.Random(f"visit {seed} {order.order_id}")
        began = order.placed_at - timedelta(minutes=rng.uniform(2, 40))
        yield _visit(rng, f"s-{order.order_id:09}", began, products, order=order)
        for n in range(int(_WITHOUT_ORDER) + (rng.random() < _WITHOUT_ORDER % 1)):
            at = order.placed_at + timedelta(minutes=rng.uniform(-300, 300))
            customer = rng.choice(customers) if rng.random() < 0.4 else None
            yield _visit(rng, f"s-{order.order_id:09}-{n}", at, products, customer=customer)


def _visit(
    rng: random.Random,
    session_id: str,
    began: datetime,
    products: Sequence[tuple[int, int]],
    *,
    order: PlacedOrder | None = None,
    customer: int | None = None,
) -> Visit:
    lines = () if order is None else order.lines
    if order is None and rng.random() < _ABANDONED:
        chosen = rng.sample(products, min(len(products), rng.randint(1, 3)))
        lines = tuple(OrderLine(product, rng.randint(1, 3), cents) for product, cents in chosen)
    customer = customer if order is None else order.customer_id
    steps: list[tuple[str, int | None]] = [("view", rng.choice(products)[0]) for _ in range(rng.randint(1, 5))]
    for line in lines:
        steps += [("view", line.product_id), ("add_to_cart", line.product_id)]
    if order is not None:
        steps += [("checkout", None), ("purchase", None)]
    ended = began + timedelta(minutes=1, seconds=rng.uniform(1, 60) * len(steps)) if order is None else order.placed_at
    clicks = []
    for n, (kind, product) in enumerate(steps):
        at = began + (ended - began) * ((n + 1) / len(steps))
        clicks.append((at, _click(rng, f"{session_id}/{n}", kind, at, product, order)))
    session = _session(rng, session_id, (began, ended), customer, order, pages=len(steps), has_cart=bool(lines))
    return Visit(session, _cart(rng, session_id, ended, customer, lines, order) if lines else None, tuple(clicks))


def _click(
    rng: random.Random, event_id: str, kind: str, at: datetime, product: int | None, order: PlacedOrder | None
) -> dict[str, Any]:
    page = {"view": f"/products/{product}", "add_to_cart": "/cart"}.get(kind, f"/{kind}")
    click = {
        "event_id": event_id,
        "session_id": event_id.partition("/")[0],
        "occurred_at": at.isoformat(),
        "type": kind,
        "page": page,
        "product_id": product,
        "ip": f"198.51.100.{rng.randint(1, 254)}",
        "viewport": {"width": rng.choice((390, 768, 1440)), "ratio": round(rng.uniform(1, 3), 2)},
    }
    if kind == "purchase" and order is not None:
        click["order_id"] = order.order_id
    return click


def _session(
    rng: random.Random,
    session_id: str,
    times: tuple[datetime, datetime],
    customer: int | None,
    order: PlacedOrder | None,
    *,
    pages: int,
    has_cart: bool,
) -> Item:
    began, ended = times
    kind, system, version = rng.choice(_DEVICES)
    item: Item = {
        "session_id": {"S": session_id},
        "started_at": {"S": began.isoformat()},
        "ended_at": {"S": ended.isoformat()},
        "pages": {"N": str(pages)},
        "device": {"M": {"kind": {"S": kind}, "system": {"L": [{"S": system}, {"S": version}]}}},
        # As many digits as DynamoDB takes.
        "visitor": {"N": str(rng.randrange(10**37, 10**38))},
        "fingerprint": {"B": rng.randbytes(16)},
        "expires_at": {"N": str(int((ended + _LIFE).timestamp()))},
    }
    optional: dict[str, dict[str, Any] | None] = {
        "customer_id": None if customer is None else {"N": str(customer)},
        "cart_id": {"S": f"c{session_id[1:]}"} if has_cart else None,
        "order_id": None if order is None else {"N": str(order.order_id)},
        "referrer": {"S": rng.choice(_REFERRERS)} if rng.random() < 0.5 else None,
        "campaigns": {"SS": rng.sample(_CAMPAIGNS, rng.randint(1, 3))} if rng.random() < 0.3 else None,
        "scores": {"NS": sorted({str(rng.randint(0, 99)) for _ in range(3)})} if rng.random() < 0.2 else None,
    }
    return item | {name: value for name, value in optional.items() if value is not None}


def _cart(
    rng: random.Random,
    session_id: str,
    ended: datetime,
    customer: int | None,
    lines: Sequence[OrderLine],
    order: PlacedOrder | None,
) -> Item:
    items = [
        {
            "M": {
                "product_id": {"N": str(n.product_id)},
                "quantity": {"N": str(n.quantity)},
                "price": {"N": _money(n.cents)},
            }
        }
        for n in lines
    ]
    item: Item = {
        "cart_id": {"S": f"c{session_id[1:]}"},
        "session_id": {"S": session_id},
        "status": {"S": "abandoned" if order is None else "ordered"},
        "items": {"L": items},
        "total": {"N": _money(sum(line.quantity * line.cents for line in lines))},
        "updated_at": {"S": ended.isoformat()},
        "expires_at": {"N": str(int((ended + _LIFE).timestamp()))},
    }
    if customer is not None:
        item["customer_id"] = {"N": str(customer)}
    if order is not None:
        item["order_id"] = {"N": str(order.order_id)}
    if rng.random() < 0.1:
        item["gift"] = {"M": {"wrapped": {"BOOL": True}, "note": {"S": 'Für "Ö"'}}}
    return item


def _money(cents: int) -> str:
    return f"{cents / 100:.2f}"
