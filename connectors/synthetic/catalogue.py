"""Rows of categories, products, inventory, customers and addresses."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.synthetic.pools import COLOURS, DEPARTMENTS, LABELS, MATERIALS, THINGS, WAREHOUSES, pools
from connectors.synthetic.values import large_text, local_stamp, money, price_cents, stamp

Row = tuple[object, ...]
"""One row, its values in the order of the columns in `shop.sql`."""

_SECOND_ADDRESS_EVERY = 3  # customers


@dataclass(frozen=True)
class ShopSize:
    """How many there are of what does not depend on chance."""

    customers: int
    products: int

    @classmethod
    def of(cls, orders: int) -> "ShopSize":
        """A shop in proportion to its number of orders."""
        return cls(customers=max(20, orders // 4), products=min(max(40, orders // 25), 20_000))


def category_rows(epoch: datetime) -> Iterator[Row]:
    """Departments, then the categories in them."""
    at = stamp(epoch, days=-800)
    number = len(DEPARTMENTS)
    for position, department in enumerate(DEPARTMENTS, 1):
        yield position, None, department, [department], position, True, at
    for parent, (department, names) in enumerate(DEPARTMENTS.items(), 1):
        for position, name in enumerate(names, 1):
            number += 1
            yield number, parent, name, [department, name], position, True, at


def category_count() -> int:
    """Number of categories of a new shop; the departments come first."""
    return len(DEPARTMENTS) + sum(len(names) for names in DEPARTMENTS.values())


def prices(size: ShopSize, *, seed: int) -> list[int]:
    """Price of every product in cents; that of product 1 comes first."""
    rng = random.Random(f"prices {seed}")
    return [price_cents(rng) for _ in range(size.products)]


def product_rows(price_list: list[int], *, seed: int, epoch: datetime) -> Iterator[Row]:
    """One product for every price."""
    rng = random.Random(f"products {seed}")
    for product_id, cents in enumerate(price_list, 1):
        category = rng.randint(len(DEPARTMENTS) + 1, category_count())
        created = epoch - timedelta(days=rng.uniform(1, 700))
        yield product_id, category, f"P-{product_id:07}", *product_details(rng, cents=cents, created=created)


def product_details(rng: random.Random, *, cents: int, created: datetime) -> Row:
    """A product's columns after its SKU."""
    colour = rng.choice(COLOURS)
    return (
        f"{rng.choice(MATERIALS)} {rng.choice(THINGS)} {colour}",
        rng.choice(pools().articles) if rng.random() < 0.9 else None,
        money(cents),
        money(int(cents * rng.uniform(0.3, 0.8))) if rng.random() < 0.9 else None,
        rng.uniform(0.05, 30) if rng.random() < 0.8 else None,
        round(rng.uniform(1, 5), 1) if rng.random() < 0.7 else None,
        f'{{"colour": "{colour}", "size_cm": [{rng.randint(1, 90)}, {rng.randint(1, 90)}.5], "care": null}}',
        rng.sample(LABELS, rng.randint(0, 3)) if rng.random() < 0.8 else None,
        rng.random() < 0.95,
        created.date().isoformat(),
        stamp(created),
        stamp(created, hours=rng.uniform(1, 24)),
    )


def inventory_rows(size: ShopSize, *, seed: int, epoch: datetime) -> Iterator[Row]:
    """Every product lies in one to three warehouses."""
    rng = random.Random(f"inventory {seed}")
    for product_id in range(1, size.products + 1):
        for warehouse in sorted(rng.sample(WAREHOUSES, rng.randint(1, 3))):
            counted = epoch - timedelta(days=rng.uniform(0, 60))
            yield (
                product_id,
                warehouse,
                int(rng.expovariate(1 / 120)),
                0,
                rng.randint(5, 40),
                f"{rng.uniform(1, 400):.4f}" if rng.random() < 0.9 else None,
                local_stamp(counted) if rng.random() < 0.8 else None,
                stamp(counted),
            )


def customer_rows(size: ShopSize, *, seed: int, epoch: datetime) -> Iterator[Row]:
    """All customers."""
    rng = random.Random(f"customers {seed}")
    for customer_id in range(1, size.customers + 1):
        created = epoch - timedelta(days=rng.uniform(0, 700))
        yield customer_id, f"customer{customer_id}@example.org", *customer_details(rng, created=created)


def customer_details(rng: random.Random, *, created: datetime) -> Row:
    """A customer's columns after the e-mail address."""
    pool, chance = pools(), rng.random
    return (
        rng.choice(pool.names),
        rng.choice(pool.phones) if chance() < 0.7 else None,
        f"{rng.randint(1940, 2007)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}" if chance() < 0.6 else None,
        rng.choices(("active", "dormant", "blocked"), (90, 9, 1))[0],
        chance() < 0.4,
        int(rng.expovariate(1 / 200)),
        [] if chance() < 0.6 else rng.sample(("vip", "b2b", "newsletter", "école", 'says "hi"'), rng.randint(1, 3)),
        rng.choice(pool.preferences),
        _customer_notes(rng),
        stamp(created),
        local_stamp(created, days=rng.uniform(0, 20)) if chance() < 0.8 else None,
        stamp(created, days=rng.uniform(0, 20)),
    )


def _customer_notes(rng: random.Random) -> str | None:
    chance = rng.random()
    if chance < 0.002:
        return large_text(rng)
    return rng.choice(pools().sentences) if chance < 0.2 else None


def address_rows(size: ShopSize, *, seed: int, epoch: datetime) -> Iterator[Row]:
    """First every customer's main address, under the customer's own number; then further ones."""
    rng = random.Random(f"addresses {seed}")
    for customer_id in range(1, size.customers + 1):
        yield customer_id, customer_id, *address_details(rng, is_default=True, at=epoch)
    for extra in range(size.customers // _SECOND_ADDRESS_EVERY):
        owner = rng.randint(1, size.customers)
        yield size.customers + extra + 1, owner, *address_details(rng, is_default=False, at=epoch)


def address_details(rng: random.Random, *, is_default: bool, at: datetime) -> Row:
    """An address's columns after its owner."""
    pool, chance = pools(), rng.random
    place = rng.choice(pool.places)
    located = chance() < 0.7
    return (
        rng.choices(("home", "work", "pickup"), (80, 15, 5))[0],
        rng.choice(pool.streets),
        f"Floor {rng.randint(0, 12)}" if chance() < 0.2 else None,
        place.city,
        place.postcode,
        place.country,
        place.latitude + chance() / 10 if located else None,
        place.longitude + chance() / 10 if located else None,
        is_default,
        (at - timedelta(days=rng.uniform(0, 700))).date().isoformat(),
        stamp(at, days=-rng.uniform(0, 300)),
    )
