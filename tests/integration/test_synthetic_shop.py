"""The shop in a real database: created, filled, looked at, dropped."""

from datetime import UTC, datetime

import psycopg
import pytest

from connectors.errors import ConfigurationError
from connectors.synthetic import TABLES, count_rows, create_shop, drop_shop, fill_shop, is_filled

ORDERS = 400


@pytest.fixture
def conn(database):
    with psycopg.connect(
        host=database.host,
        port=database.port,
        user=database.user,
        password=database.password.get_secret_value() if database.password else None,
        dbname=database.database,
        autocommit=True,
    ) as connection:
        yield connection


def contents(conn):
    query = "select md5(string_agg(t::text, E'\\n' order by t::text collate \"C\")) from public.{} t"
    return {table: conn.execute(query.format(table)).fetchone()[0] for table in TABLES}


def foreign_keys(conn):
    return conn.execute(
        "select conname, pg_get_constraintdef(oid), convalidated from pg_constraint where contype = 'f' order by 1"
    ).fetchall()


def test_creating_again_changes_nothing(conn):
    create_shop(conn)
    keys = foreign_keys(conn)
    create_shop(conn)
    assert foreign_keys(conn) == keys
    assert count_rows(conn) == dict.fromkeys(TABLES, 0)


def test_fill_makes_every_row_in_proportion(conn):
    seen = []
    rows = fill_shop(conn, orders=ORDERS, seed=7, progress=seen.append)
    assert rows == count_rows(conn)
    assert rows["orders"] == seen[-1] == ORDERS
    assert min(rows.values()) > 0


def test_fill_keeps_foreign_keys_enforced(conn):
    create_shop(conn)
    before = foreign_keys(conn)
    fill_shop(conn, orders=ORDERS, seed=7)
    assert foreign_keys(conn) == before
    assert len(before) == 11
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="orders_customer_id_fkey"):
        conn.execute("update orders set customer_id = 0 where order_id = 1")


def test_numbered_keys_go_on_after_the_fill(conn):
    fill_shop(conn, orders=ORDERS, seed=7)
    (number,) = conn.execute(
        "insert into payments (order_id, method, status, amount, created_at)"
        " values (1, 'card', 'captured', 1, now()) returning payment_id"
    ).fetchone()
    assert number == conn.execute("select count(*) from payments").fetchone()[0]


def test_same_seed_fills_the_same(conn):
    fill_shop(conn, orders=ORDERS, seed=7)
    first = contents(conn)
    drop_shop(conn, dry_run=False)
    fill_shop(conn, orders=ORDERS, seed=7)
    assert contents(conn) == first


def test_epoch_moves_all_orders(conn):
    fill_shop(conn, orders=ORDERS, seed=7, epoch=datetime(2020, 3, 1, tzinfo=UTC))
    oldest, newest = conn.execute("select min(placed_at), max(placed_at) from orders").fetchone()
    assert datetime(2020, 3, 1, tzinfo=UTC) <= oldest < newest < datetime(2021, 3, 2, tzinfo=UTC)


def test_large_values_lie_out_of_line(conn):
    fill_shop(conn, orders=ORDERS * 5, seed=7)
    chunks = conn.execute("select pg_column_toast_chunk_id(photo) from returns where length(photo) > 10000").fetchall()
    assert chunks
    assert all(chunk is not None for (chunk,) in chunks)


def test_filled_shop_is_not_filled_again(conn):
    rows = fill_shop(conn, orders=ORDERS, seed=7)
    with pytest.raises(ConfigurationError, match="filled already"):
        fill_shop(conn, orders=ORDERS, seed=8)
    assert count_rows(conn) == rows


def test_broken_off_fill_leaves_nothing(conn):
    def give_up(loaded):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill_shop(conn, orders=ORDERS, seed=7, progress=give_up)
    assert not is_filled(conn)
    assert count_rows(conn) == {}


def test_drop_only_tells_at_first(conn):
    rows = fill_shop(conn, orders=ORDERS, seed=7)
    assert drop_shop(conn) == rows
    assert is_filled(conn)
    assert drop_shop(conn, dry_run=False) == rows
    assert count_rows(conn) == {}
    assert conn.execute("select count(*) from pg_type where typtype = 'e'").fetchone() == (0,)


@pytest.mark.parametrize("act", [create_shop, lambda conn: drop_shop(conn, dry_run=False)])
def test_tables_of_others_are_left_alone(conn, act):
    conn.execute("create table orders (mine int)")
    with pytest.raises(ConfigurationError, match="tables of its own named orders"):
        act(conn)
    assert not is_filled(conn)
    assert conn.execute("select count(*) from orders").fetchone() == (0,)
