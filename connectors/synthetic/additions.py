"""More rows for a shop that exists: whatever is asked for, with what it refers to."""

import math
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from connectors.synthetic.catalogue import Row, address_details, customer_details, product_details
from connectors.synthetic.generate import EPOCH, copy_rows
from connectors.synthetic.pools import DEPARTMENTS, WAREHOUSES
from connectors.synthetic.sales import Sales, SalesGenerator
from connectors.synthetic.shop import KEYS, create_shop, shop_table
from connectors.synthetic.values import local_stamp, price_cents, stamp

# Tables that come with orders: as many of these are placed as it takes.
_ORDERS_FOR_ONE = {"orders": 1, "order_items": 1 / 3, "payments": 0.9, "shipments": 1, "returns": 12}
_SINCE = timedelta(days=30)
_CHUNK = 2_000  # orders held in memory
_FEWEST = {"customers": 20, "products": 40}  # what an order chooses from
_MOST_CHOICES = 200_000


class ShopAdditions:
    """Adds rows, each call in one transaction.

    Args:
        conn: Connection to the shop's database, in autocommit. The shop is created if there is none.
        seed: The same seed adds the same to the same shop.
    """

    def __init__(self, conn: psycopg.Connection[Any], *, seed: int) -> None:
        self._conn = conn
        self._seed = seed
        self._added: Counter[str] = Counter()
        with conn.transaction():
            create_shop(conn)
            [(newest,)] = conn.execute("select max(placed_at) from public.orders").fetchall()
        self._now: datetime = EPOCH if newest is None else newest.astimezone(UTC)

    def add(self, table: str, count: int) -> Counter[str]:
        """Adds so many rows to a table, and to others what they refer to; of sales, as many whole orders as it takes.

        Returns:
            Number of rows that were added, by table.
        """
        self._added = Counter()
        with self._conn.transaction():
            if table in _ORDERS_FOR_ONE:
                self._add_sales(table, count)
            else:
                getattr(self, f"_add_{table}")(count)
        return self._added

    def _add_customers(self, count: int) -> None:
        numbers = self._numbers("customers", count)

        def rows() -> Iterator[Row]:
            rng = self._rng("customers")
            for number in numbers:
                created = self._now - timedelta(days=rng.uniform(0, 30))
                yield number, f"customer{number}@example.org", *customer_details(rng, created=created)

        self._copy("customers", rows())

    def _add_addresses(self, count: int) -> None:
        self._ensure("customers")
        owners = self._some("select customer_id from public.customers order by 1 desc")
        numbers = self._numbers("addresses", count)

        def rows() -> Iterator[Row]:
            rng = self._rng("addresses")
            for number in numbers:
                yield number, rng.choice(owners)[0], *address_details(rng, is_default=False, at=self._now)

        self._copy("addresses", rows())

    def _add_categories(self, count: int) -> None:
        at, names, numbers = stamp(self._now), list(DEPARTMENTS), self._numbers("categories", count)

        def rows() -> Iterator[Row]:
            for position, number in enumerate(numbers):
                name = f"{names[position % len(names)]} {number}"
                yield number, None, name, [name], position % 1000, True, at

        self._copy("categories", rows())

    def _add_products(self, count: int) -> None:
        self._ensure("categories")
        categories = self._some("select category_id from public.categories order by 1")
        numbers = self._numbers("products", count)

        def rows() -> Iterator[Row]:
            rng = self._rng("products")
            for number in numbers:
                details = product_details(rng, cents=price_cents(rng), created=self._now)
                yield number, rng.choice(categories)[0], f"P-{number:07}", *details

        self._copy("products", rows())

    def _add_inventory(self, count: int) -> None:
        free = (
            "select product_id, w from public.products, unnest(%s::text[]) as w where not exists"
            " (select from public.inventory i where i.product_id = products.product_id and i.warehouse = w)"
            " order by 1 desc, 2 limit %s"
        )
        places = self._conn.execute(free, [list(WAREHOUSES), count]).fetchall()
        if len(places) < count:
            self._add_products(-(-(count - len(places)) // len(WAREHOUSES)))
            places = self._conn.execute(free, [list(WAREHOUSES), count]).fetchall()

        def rows() -> Iterator[Row]:
            rng = self._rng("inventory")
            for product, warehouse in places:
                amounts = int(rng.expovariate(1 / 120)), 0, rng.randint(5, 40), f"{rng.uniform(1, 400):.4f}"
                yield product, warehouse, *amounts, local_stamp(self._now), stamp(self._now)

        self._copy("inventory", rows())

    def _add_sales(self, table: str, count: int) -> None:
        for parent in ("customers", "products"):
            self._ensure(parent)
        customers = self._some(
            "select customer_id, (select min(address_id) from public.addresses a where a.customer_id = c.customer_id)"
            " from public.customers c order by 1 desc"
        )
        products = self._some("select product_id, (price * 100)::bigint from public.products order by 1 desc")
        end = self._now + _SINCE  # most of the orders were delivered since, some came back
        generator = SalesGenerator(
            customers,
            products,
            seed=f"{self._seed} {self._now}",
            end=end,
            payments=self._last("payments"),
            returns=self._last("returns"),
        )
        rng, placed = self._rng("times"), self._now
        while self._added[table] < count:
            missing = math.ceil((count - self._added[table]) * _ORDERS_FOR_ONE[table])
            sales = Sales()
            for order_id in self._numbers("orders", min(missing, _CHUNK)):
                placed += timedelta(seconds=rng.expovariate(1 / 30))
                generator.add_order(sales, order_id, placed)
            for child, rows in vars(sales).items():
                self._copy(child, rows)
        self._now = placed
        for child in ("payments", "returns"):
            self._continue_after(child)

    def _ensure(self, table: str) -> None:
        """Adds rows that others refer to, if there are none."""
        fewest = _FEWEST.get(table, 1)
        [(there,)] = self._conn.execute(
            sql.SQL("select count(*) from (select from {} limit {}) t").format(shop_table(table), fewest)
        ).fetchall()
        if there < fewest:
            getattr(self, f"_add_{table}")(fewest - there)

    def _numbers(self, table: str, count: int) -> list[int]:
        """Takes numbers that nobody else gets."""
        (key,) = KEYS[table]
        query = "select nextval(pg_get_serial_sequence(%s, %s)) from generate_series(1, %s)"
        return [number for (number,) in self._conn.execute(query, [f"public.{table}", key, count]).fetchall()]

    def _last(self, table: str) -> int:
        """Number of the last row; nobody else adds any until the end of the transaction."""
        self._conn.execute(sql.SQL("lock table {} in share row exclusive mode").format(shop_table(table)))
        (key,) = KEYS[table]
        query = sql.SQL("select coalesce(max({}), 0) from {}").format(sql.Identifier(key), shop_table(table))
        return int(self._conn.execute(query).fetchall()[0][0])

    def _continue_after(self, table: str) -> None:
        (key,) = KEYS[table]
        query = sql.SQL("select setval(pg_get_serial_sequence(%s, %s), greatest(max({}), 1)) from {}")
        self._conn.execute(query.format(sql.Identifier(key), shop_table(table)), [f"public.{table}", key])

    def _some(self, query: str) -> list[Any]:
        return self._conn.execute(f"{query} limit {_MOST_CHOICES}".encode()).fetchall()

    def _copy(self, table: str, rows: Any) -> None:
        self._added[table] += copy_rows(self._conn, table, rows)

    def _rng(self, what: str) -> random.Random:
        return random.Random(f"{what} {self._seed} {self._now}")
