"""The database as an operation of the traffic sees it: a clock, dice, rows to pick, and changes that are counted."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from connectors.errors import ConfigurationError
from connectors.synthetic.shop import KEYS, is_filled, shop_table

Where = Mapping[str, Any]
"""Columns and what they must equal; as a rule, the key of one row."""

DEFAULT = sql.SQL("default")
"""Given as a value of a numbered key: the next number."""

_ALL = 2**53
_TRUE = sql.SQL("true")
_POSITIONS = {"shipments": "order_id"}  # random keys have no "recent" end


class NothingToDo(Exception):
    """There is no row that an operation could work on."""


class Session:
    """One run of traffic on one connection.

    Args:
        conn: Connection to the shop's database, outside any transaction.
        seed: The same seed does the same to the same tables.

    Raises:
        ConfigurationError: The shop has no orders, or the connection is inside a transaction.
    """

    def __init__(self, conn: psycopg.Connection[Any], *, seed: int) -> None:
        if conn.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            raise ConfigurationError("the connection is inside a transaction", hint="Commit or roll back first.")
        if not is_filled(conn):
            raise ConfigurationError("the shop is empty", hint="Fill it with `lakehouse generate shop`.")
        self._conn = conn
        self._pending: Counter[tuple[str, str]] = Counter()
        self.changes: Counter[tuple[str, str]] = Counter()
        self.transactions = 0
        with conn.transaction():
            run, newest = self._fetch("select nextval('public.traffic_runs'), max(updated_at) from public.orders")[0]
        self.rng = random.Random(f"traffic {seed} {run}")
        self.now: datetime = newest.astimezone(UTC)

    @property
    def local(self) -> str:
        """Now, as the shop's wall clock (UTC+1) shows it, without zone."""
        return (self.now + timedelta(hours=1)).replace(tzinfo=None).isoformat(" ")

    @property
    def today(self) -> date:
        """The day."""
        return self.now.date()

    @contextmanager
    def transaction(self, *, rollback: bool = False) -> Iterator[None]:
        """One transaction, some time after the last. Its changes count when it commits."""
        self.now += timedelta(seconds=self.rng.expovariate(1 / 40))
        self._pending = Counter()
        with self._conn.transaction(force_rollback=rollback):
            yield
        self.transactions += 1
        if not rollback:
            self.changes += self._pending

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Changes that are undone while the transaction around them goes on: a savepoint."""
        before = self._pending.copy()
        with self._conn.transaction(force_rollback=True):
            yield
        self._pending = before

    def pick(
        self, table: str, *, recent: int = _ALL, condition: sql.Composable = _TRUE, **having: Any
    ) -> dict[str, Any]:
        """The key of some row.

        Args:
            table: The table.
            recent: Start at most this many numbers before the end.
            condition: What must hold besides.
            **having: What its columns must equal.

        Raises:
            NothingToDo: There is none.
        """
        key = KEYS[table]
        position = _POSITIONS.get(table, key[0])
        query = sql.SQL(
            "select {key} from {table} where {position} >= (select max({position})"
            " - floor(%(chance)s * (least(max({position}) - min({position}), %(recent)s) + 1))::bigint from {table})"
            " and {having} and {condition} order by {order} limit 1"
        ).format(
            key=_columns(key),
            table=shop_table(table),
            position=sql.Identifier(position),
            having=_equal(having, named=True),
            condition=condition,
            order=_columns((position, *key)),
        )
        rows = self._fetch(query, {"chance": self.rng.random(), "recent": recent, **having})
        if not rows:
            raise NothingToDo
        return dict(zip(key, rows[0], strict=True))

    def rows(self, table: str, where: Where, *columns: str | sql.Composable) -> list[tuple[Any, ...]]:
        """Values of all rows that fit, in order of the key."""
        chosen = sql.SQL(", ").join(sql.Identifier(c) if isinstance(c, str) else c for c in columns)
        query = sql.SQL("select {} from {} where {} order by {}")
        return self._fetch(
            query.format(chosen, shop_table(table), _equal(where), _columns(KEYS[table])), list(where.values())
        )

    def insert(self, table: str, values: tuple[object, ...]) -> dict[str, Any]:
        """Inserts a row, its values in the order of the columns in `shop.sql`, and returns its key."""
        places = sql.SQL(", ").join(v if isinstance(v, sql.Composable) else sql.Placeholder() for v in values)
        query = sql.SQL("insert into {} values ({}) returning {}")
        key = self._change("insert", table, query.format(shop_table(table), places, _columns(KEYS[table])), values)
        return key[0]

    def update(self, table: str, where: Where, **values: Any) -> list[dict[str, Any]]:
        """Updates all rows that fit and returns their keys, as they are now."""
        assignments = sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(c), v if isinstance(v, sql.Composable) else sql.Placeholder())
            for c, v in values.items()
        )
        query = sql.SQL("update {} set {} where {} returning {}").format(
            shop_table(table), assignments, _equal(where), _columns(KEYS[table])
        )
        return self._change("update", table, query, (*values.values(), *where.values()))

    def delete(self, table: str, where: Where) -> int:
        """Deletes all rows that fit."""
        query = sql.SQL("delete from {} where {} returning {}").format(
            shop_table(table), _equal(where), _columns(KEYS[table])
        )
        return len(self._change("delete", table, query, tuple(where.values())))

    def replace(self, table: str, key: Where, **values: Any) -> None:
        """Deletes a row and inserts it again under the same key, with some values changed."""
        self._conn.execute("set constraints all deferred")
        (row,) = self.rows(table, key, sql.SQL("to_jsonb({}.*)::text").format(sql.Identifier(table)))
        self.delete(table, key)
        self.insert_copy(table, row[0], **values)

    def insert_copy(self, table: str, row: str, **values: Any) -> dict[str, Any]:
        """Inserts a row given as JSON, with some values changed, and returns its key."""
        query = sql.SQL(
            "insert into {table} select (jsonb_populate_record(null::{table}, %s::jsonb || %s::jsonb)).*"
            " returning {key}"
        ).format(table=shop_table(table), key=_columns(KEYS[table]))
        return self._change("insert", table, query, (row, json.dumps(values)))[0]

    def next_number(self, table: str) -> int:
        """The next number of a numbered key."""
        (key,) = KEYS[table]
        return int(self._fetch("select nextval(pg_get_serial_sequence(%s, %s))", (f"public.{table}", key))[0][0])

    def count_followers(self, table: str, where: Where) -> None:
        """Counts the rows that PostgreSQL updated because the key they refer to changed."""
        self._pending["update", table] += len(self.rows(table, where, *KEYS[table]))

    def _change(
        self, verb: str, table: str, query: sql.Composed, parameters: tuple[object, ...]
    ) -> list[dict[str, Any]]:
        given = [value for value in parameters if not isinstance(value, sql.Composable)]
        keys = self._fetch(query, given)
        self._pending[verb, table] += len(keys)
        return [dict(zip(KEYS[table], key, strict=True)) for key in keys]

    def _fetch(self, query: Any, parameters: Any = None) -> list[tuple[Any, ...]]:
        return self._conn.execute(query, parameters).fetchall()


def _columns(names: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def unused(table: str, **references: str) -> sql.Composable:
    """The condition that no row refers to one of `table`: `unused("customers", orders="customer_id")`."""
    (key,) = KEYS[table]
    return _all(
        sql.SQL("not exists (select from {} r where r.{} = {}.{})").format(
            shop_table(other), sql.Identifier(column), sql.Identifier(table), sql.Identifier(key)
        )
        for other, column in references.items()
    )


def _equal(where: Where, *, named: bool = False) -> sql.Composable:
    return _all(
        sql.SQL("{} = {}").format(sql.Identifier(column), sql.Placeholder(column if named else "")) for column in where
    )


def _all(conditions: Iterable[sql.Composable]) -> sql.Composable:
    return sql.SQL(" and ").join(list(conditions) or [_TRUE])
