"""Fills the shop: the same rows for the same seed, copied in chunks, so that memory stays flat."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import psycopg
from psycopg import sql

from connectors.errors import ConfigurationError
from connectors.synthetic.catalogue import (
    Row,
    ShopSize,
    address_rows,
    category_rows,
    customer_rows,
    inventory_rows,
    prices,
    product_rows,
)
from connectors.synthetic.sales import DAYS, Sales, SalesGenerator, order_times
from connectors.synthetic.shop import KEYS, NUMBERED, TABLES, count_rows, create_shop, is_filled, shop_table

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
"""Default date of the first order."""

_CHUNK = 5_000  # orders held in memory


def fill_shop(
    conn: psycopg.Connection[Any],
    *,
    orders: int,
    seed: int,
    epoch: datetime = EPOCH,
    progress: Callable[[int], object] = lambda _: None,
) -> dict[str, int]:
    """Creates the shop where it does not exist and fills it, in one transaction: wholly or not at all.

    Args:
        conn: Connection to the shop's database.
        orders: Number of orders; everything else is in proportion.
        seed: The same seed makes the same rows.
        epoch: When the first order can be placed; the last ones follow a year later.
        progress: Called with the number of orders loaded so far.

    Returns:
        Number of rows of each table.

    Raises:
        ConfigurationError: The shop is filled already.
    """
    with conn.transaction():
        create_shop(conn)
        if is_filled(conn):
            raise ConfigurationError(
                "the shop is filled already",
                hint="Change it with `lakehouse generate traffic`, or fill it again with `--reset`.",
            )
        with _foreign_keys_checked_at_the_end(conn):
            loaded = 0
            for table, rows in generate_rows(orders=orders, seed=seed, epoch=epoch):
                copied = copy_rows(conn, table, rows)
                if table == "orders":
                    loaded += copied
                    progress(loaded)
        advance_identities(conn)
        return count_rows(conn)


def generate_rows(*, orders: int, seed: int, epoch: datetime = EPOCH) -> Iterator[tuple[str, Iterable[Row]]]:
    """Yields the rows of a shop in chunks of one table each, in an order that foreign keys allow."""
    size = ShopSize.of(orders)
    price_list = prices(size, seed=seed)
    yield "customers", customer_rows(size, seed=seed, epoch=epoch)
    yield "addresses", address_rows(size, seed=seed, epoch=epoch)
    yield "categories", category_rows(epoch)
    yield "products", product_rows(price_list, seed=seed, epoch=epoch)
    yield "inventory", inventory_rows(size, seed=seed, epoch=epoch)
    customers = [(number, number) for number in range(1, size.customers + 1)]
    end = epoch + timedelta(days=DAYS)
    generator = SalesGenerator(customers, list(enumerate(price_list, 1)), seed=seed, end=end)
    numbered = enumerate(order_times(orders, seed=seed, epoch=epoch), 1)
    while chunk := list(islice(numbered, _CHUNK)):
        sales = Sales()
        for order_id, placed in chunk:
            generator.add_order(sales, order_id, placed)
        yield from vars(sales).items()


def copy_rows(conn: psycopg.Connection[Any], table: str, rows: Iterable[Row]) -> int:
    """Copies rows into a table of the shop; returns how many."""
    copied = 0
    with conn.cursor().copy(sql.SQL("copy {} from stdin").format(shop_table(table))) as copy:
        for row in rows:
            copy.write_row(row)
            copied += 1
    return copied


@contextmanager
def _foreign_keys_checked_at_the_end(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Adds the foreign keys after the rows: one query each instead of one per row, which takes half of the time."""
    keys = conn.execute(
        "select c.relname, k.conname, pg_get_constraintdef(k.oid) from pg_constraint k join pg_class c"
        " on c.oid = k.conrelid where k.contype = 'f' and k.connamespace = 'public'::regnamespace"
        " and c.relname = any(%s) order by 1, 2",
        (list(TABLES),),
    ).fetchall()
    for table, name, _ in keys:
        conn.execute(sql.SQL("alter table {} drop constraint {}").format(shop_table(table), sql.Identifier(name)))
    yield
    for table, name, definition in keys:
        conn.execute(
            sql.SQL("alter table {} add constraint {} {}").format(
                shop_table(table), sql.Identifier(name), sql.SQL(definition)
            )
        )


def advance_identities(conn: psycopg.Connection[Any]) -> None:
    """Lets each identity column go on after the keys that were copied."""
    for table in NUMBERED:
        (column,) = KEYS[table]
        conn.execute(
            sql.SQL(
                "select setval(pg_get_serial_sequence({}, {}), max({}) + 1, false) from {} having max({}) is not null"
            ).format(f"public.{table}", column, sql.Identifier(column), shop_table(table), sql.Identifier(column))
        )
