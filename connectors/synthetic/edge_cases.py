"""Cases that are hard to capture: unchanged TOAST values, key changes, re-inserts, rollbacks, repeated updates.

A large value is stored out of line. When another column of its row changes, PostgreSQL does not log the value again.
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from psycopg import sql

from connectors.synthetic.ordering import add_order, new_tracking_id
from connectors.synthetic.session import DEFAULT, NothingToDo, Session, Where
from connectors.synthetic.shop import NUMBERED, TABLES
from connectors.synthetic.values import large_text

LARGE_COLUMNS = {
    "customers": "notes",
    "products": "description",
    "orders": "gift_note",
    "payments": "gateway_response",
    "shipments": "label",
    "returns": "photo",
}
"""Columns that hold large values, by table."""

_OUT_OF_LINE_BYTES = 10_000  # stored, so after compression: no row of that size fits a page of 8 kB
_FILLED_WITH_LARGE = ("customers", "returns")  # where a new shop has some
_CLONED = ("payments", "returns")  # have nothing unique but the key
_FOLLOWERS = {
    "customers": ("addresses", "orders"),
    "products": ("inventory", "order_items"),
    "orders": ("order_items", "payments", "shipments", "returns"),
}

_OTHER_COLUMNS: dict[str, Callable[[Session], dict[str, Any]]] = {
    "customers": lambda work: {"loyalty_points": work.rng.randint(0, 9_999), "last_login_at": work.local},
    "addresses": lambda work: {"line2": f"Floor {work.rng.randint(0, 99)}"},
    "categories": lambda work: {"sort_order": work.rng.randint(0, 99)},
    "products": lambda work: {"price": f"{work.rng.randint(1, 99_999)}.{work.rng.randint(0, 99):02}"},
    "inventory": lambda work: {"quantity": work.rng.randint(0, 999), "last_counted_at": work.local},
    "orders": lambda work: {"coupon_codes": None, "updated_at": work.now.isoformat()},
    "order_items": lambda work: {"personalisation": f'{{"lines": {work.rng.randint(1, 9)}}}'},
    "payments": lambda work: {"fraud_score": round(work.rng.random(), 3)},
    "shipments": lambda work: {"weight_kg": work.rng.uniform(0.1, 30)},
    "returns": lambda work: {"is_approved": work.rng.choice((True, False, None)), "comment": None},
}


class _Large(NamedTuple):
    """A row that holds a large value."""

    table: str
    key: Where


def unchanged_large_value(work: Session) -> None:
    """A large value stays while another column changes."""
    row = _large_row(work)
    with work.transaction():
        _require_large(work, row)
        work.update(row.table, row.key, **_other_columns(work, row.table))


def changed_key(work: Session) -> None:
    """The key of a row with a large value changes; rows that refer to it follow."""
    row = _large_row(work)
    with work.transaction():
        _require_large(work, row)
        others = _other_columns(work, row.table) if work.rng.random() < 0.5 else {}
        _change_key(work, row, **others)


def reinserted_key(work: Session) -> None:
    """Deletes a row and inserts it again under its key in one transaction; its large value, if any, may change."""
    rng = work.rng
    row = _large_row(work) if rng.random() < 0.4 else None
    with work.transaction():
        table = rng.choice(TABLES) if row is None else row.table
        key = work.pick(table) if row is None else row.key
        values = _other_columns(work, table)
        if table in LARGE_COLUMNS and rng.random() < 0.6:
            values[LARGE_COLUMNS[table]] = rng.choice((None, _large_value(work, table)))
        work.replace(table, key, **values)


def rollback(work: Session) -> None:
    """A transaction, or a part of one, is undone."""
    if work.rng.random() < 0.7:
        with work.transaction(rollback=True):
            _change_much(work)
    else:
        with work.transaction():
            key = work.pick("customers")
            work.update("customers", key, **_other_columns(work, "customers"))
            with work.undone():
                _change_much(work)
            work.update("customers", key, **_other_columns(work, "customers"))


def repeated_update(work: Session) -> None:
    """One row is updated several times in one transaction, sometimes with its large value or its key among that."""
    rng = work.rng
    table = rng.choice(TABLES)
    with work.transaction():
        key = work.pick(table)
        for _ in range(rng.randint(2, 4)):
            work.update(table, key, **_other_columns(work, table))
        if table in LARGE_COLUMNS and rng.random() < 0.5:
            work.update(table, key, **{LARGE_COLUMNS[table]: _large_value(work, table)})
        if table in LARGE_COLUMNS and rng.random() < 0.3:
            key = _change_key(work, _Large(table, key))
        work.update(table, key, **_other_columns(work, table))


HARD_CASES: dict[str, Callable[[Session], None]] = {
    case.__name__: case for case in (unchanged_large_value, changed_key, reinserted_key, rollback, repeated_update)
}
"""The cases by name."""


def _large_row(work: Session) -> _Large:
    """A row that has had a large value for long, or has just been given one."""
    if work.rng.random() < 0.3:
        table = work.rng.choice(_FILLED_WITH_LARGE)
        with work.transaction():
            return _Large(table, work.pick(table, condition=_is_large(table)))
    return _store_large_value(work)


def _store_large_value(work: Session) -> _Large:
    """Gives a large value to a row, or inserts a row with one, in a transaction of its own."""
    table = work.rng.choice(tuple(LARGE_COLUMNS))
    column, value = LARGE_COLUMNS[table], _large_value(work, table)
    with work.transaction():
        key = work.pick(table)
        if table in _CLONED and work.rng.random() < 0.5:
            ((row,),) = work.rows(table, key, sql.SQL("to_jsonb({}.*)::text").format(sql.Identifier(table)))
            (number,) = key
            key = work.insert_copy(table, row, **{number: work.next_number(table)})
        work.update(table, key, **{column: value})
    return _Large(table, key)


def _large_value(work: Session, table: str) -> str:
    text = large_text(work.rng)
    return json.dumps({"raw": text}) if table == "payments" else text


def _require_large(work: Session, row: _Large) -> None:
    if work.rows(row.table, row.key, _is_large(row.table)) != [(True,)]:
        raise NothingToDo


def _is_large(table: str) -> sql.Composable:
    return sql.SQL("pg_column_size({}) >= {}").format(sql.Identifier(LARGE_COLUMNS[table]), _OUT_OF_LINE_BYTES)


def _other_columns(work: Session, table: str) -> dict[str, Any]:
    return _OTHER_COLUMNS[table](work)


def _change_key(work: Session, row: _Large, **others: Any) -> dict[str, Any]:
    (column,) = row.key
    new = DEFAULT if row.table in NUMBERED else new_tracking_id(work)
    (key,) = work.update(row.table, row.key, **{column: new}, **others)
    for follower in _FOLLOWERS.get(row.table, ()):
        work.count_followers(follower, key)
    return key


def _change_much(work: Session) -> None:
    add_order(work)
    work.update("products", work.pick("products"), description=large_text(work.rng))
    work.delete("payments", work.pick("payments"))
    work.replace("inventory", work.pick("inventory"), quantity=0)
