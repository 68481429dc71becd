"""The shop's ten tables: create, look at and drop them."""

import re
from importlib.resources import files
from typing import Any

import psycopg
from psycopg import sql

from connectors.errors import ConfigurationError

KEYS = {
    "customers": ("customer_id",),
    "addresses": ("address_id",),
    "categories": ("category_id",),
    "products": ("product_id",),
    "inventory": ("product_id", "warehouse"),
    "orders": ("order_id",),
    "order_items": ("order_id", "line_no"),
    "payments": ("payment_id",),
    "shipments": ("tracking_id",),
    "returns": ("return_id",),
}
"""Key columns of every table."""

_TABLE = re.compile(r"^create table if not exists public\.(\w+) \((.*?)^\);", re.DOTALL | re.MULTILINE)
_COLUMN = re.compile(r"^    (?!primary|foreign|unique|check)(\w+) ", re.MULTILINE)
COLUMNS = {
    table: tuple(_COLUMN.findall(body))
    for table, body in _TABLE.findall(files("connectors.synthetic").joinpath("shop.sql").read_text())
}
"""Columns of every table, in order."""

TABLES = tuple(KEYS)
"""All tables, in schema `public`, each after those it refers to."""

NUMBERED = tuple(table for table, key in KEYS.items() if len(key) == 1 and table != "shipments")
"""Tables whose key PostgreSQL numbers."""

_TYPES = (
    "customer_status",
    "address_kind",
    "order_status",
    "payment_method",
    "payment_status",
    "shipment_status",
    "return_reason",
)
_MARK = "synthetic shop"  # the comment on our tables: somebody's own `orders` must never be filled or dropped


def create_shop(conn: psycopg.Connection[Any]) -> None:
    """Creates the tables that do not exist yet.

    Raises:
        ConfigurationError: A table of one of these names exists that is not the shop's.
    """
    with conn.transaction():
        _refuse_foreign_tables(conn)
        conn.execute(_definition())
        for table in TABLES:
            conn.execute(sql.SQL("comment on table {} is {}").format(shop_table(table), _MARK))


def count_rows(conn: psycopg.Connection[Any]) -> dict[str, int]:
    """Number of rows of each table of the shop; empty if there is no shop."""
    with conn.transaction():
        return {table: _count(conn, table) for table in TABLES if _mark_of(conn, table) == _MARK}


def is_filled(conn: psycopg.Connection[Any]) -> bool:
    """Whether the shop exists and has orders."""
    with conn.transaction():
        if _mark_of(conn, "orders") != _MARK:
            return False
        row = conn.execute("select exists (select from public.orders)").fetchone()
        return row is not None and bool(row[0])


def drop_shop(conn: psycopg.Connection[Any], *, dry_run: bool = True) -> dict[str, int]:
    """Drops the shop with everything in it, or only says what would be lost.

    Args:
        conn: Connection to the shop's database.
        dry_run: Drop nothing.

    Returns:
        Number of rows of each table that is dropped.

    Raises:
        ConfigurationError: A table of one of these names exists that is not the shop's.
    """
    with conn.transaction():
        _refuse_foreign_tables(conn)
        rows = count_rows(conn)
        if not dry_run:
            for table in reversed(TABLES):
                conn.execute(sql.SQL("drop table if exists {}").format(shop_table(table)))
            for name in _TYPES:
                conn.execute(sql.SQL("drop type if exists {}").format(sql.Identifier("public", name)))
            conn.execute("drop sequence if exists public.traffic_runs")
        return rows


def shop_table(name: str) -> sql.Identifier:
    """A table of the shop, quoted."""
    return sql.Identifier("public", name)


def _definition() -> bytes:
    return files("connectors.synthetic").joinpath("shop.sql").read_bytes()


def _mark_of(conn: psycopg.Connection[Any], table: str) -> str | None:
    """The table's comment (empty if it has none); None if there is no such table."""
    row = conn.execute(
        "select coalesce(obj_description(oid, 'pg_class'), '') from pg_class"
        " where relname = %s and relnamespace = 'public'::regnamespace",
        (table,),
    ).fetchone()
    return None if row is None else str(row[0])


def _refuse_foreign_tables(conn: psycopg.Connection[Any]) -> None:
    foreign = [table for table in TABLES if _mark_of(conn, table) not in {None, _MARK}]
    if foreign:
        raise ConfigurationError(
            f"this database has tables of its own named {', '.join(foreign)}",
            hint="The synthetic shop needs an empty database: set LAKEHOUSE_POSTGRES__DATABASE to one.",
            tables=foreign,
        )


def _count(conn: psycopg.Connection[Any], table: str) -> int:
    row = conn.execute(sql.SQL("select count(*) from {}").format(shop_table(table))).fetchone()
    return int(row[0]) if row is not None else 0
