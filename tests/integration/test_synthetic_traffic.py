"""Live traffic on a real database; what it says it did is held against PostgreSQL's own change log."""

import struct
import threading
from collections import Counter
from dataclasses import dataclass, field

import psycopg
import pytest

from connectors.errors import ConfigurationError
from connectors.synthetic import (
    DEFAULT_MIX,
    HARD_CASES,
    TABLES,
    apply_traffic,
    count_rows,
    create_shop,
    drop_shop,
    fill_shop,
    hard_cases,
)


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
        fill_shop(connection, orders=400, seed=7)
        yield connection


def contents(conn):
    query = "select md5(string_agg(t::text, E'\\n' order by t::text collate \"C\")) from public.{} t"
    return {table: conn.execute(query.format(table)).fetchone()[0] for table in TABLES}


@dataclass
class ChangeLog:
    """What logical decoding told, counted by kind and table."""

    rows: Counter = field(default_factory=Counter)
    unchanged_large: int = 0
    changed_keys: int = 0
    changed_keys_of_large: int = 0
    reinserted: int = 0
    repeated: int = 0


def start_log(conn):
    conn.execute("create publication traffic for all tables")
    conn.execute("select pg_create_logical_replication_slot('traffic_' || current_database(), 'pgoutput', true)")


def read_log(conn):
    messages = conn.execute(
        "select data from pg_logical_slot_get_binary_changes('traffic_' || current_database(), null, null,"
        " 'proto_version', '1', 'publication_names', 'traffic')"
    )
    log, tables, transaction = ChangeLog(), {}, []
    for (data,) in messages:
        kind = data[:1]
        if kind == b"R":
            tables[data[1:5]] = read_relation(data)
        elif kind == b"C":
            count_transaction(log, transaction)
            transaction = []
        elif kind in (b"I", b"U", b"D"):
            name, key = tables[data[1:5]]
            transaction.append((kind.decode(), name, key, read_tuples(data)))
    return log


def read_relation(data):
    _, name, rest = data[5:].split(b"\0", 2)
    (columns,) = struct.unpack("!H", rest[1:3])
    key, at = [], 3
    for position in range(columns):
        if rest[at] == 1:
            key.append(position)
        at = rest.index(b"\0", at + 1) + 1 + 8
    return name.decode(), key


def read_tuples(data):
    """Old and new row by the letter the protocol gives them; a value is text, None or unchanged (`...`)."""
    tuples, at = {}, 5
    while at < len(data):
        letter = chr(data[at])
        (columns,) = struct.unpack("!H", data[at + 1 : at + 3])
        values, at = [], at + 3
        for _ in range(columns):
            tag, at = data[at : at + 1], at + 1
            if tag == b"t":
                (length,) = struct.unpack("!I", data[at : at + 4])
                values.append(data[at + 4 : at + 4 + length])
                at += 4 + length
            else:
                values.append(None if tag == b"n" else ...)
        tuples[letter] = values
    return tuples


def count_transaction(log, changes):
    deleted, updated = set(), Counter()
    for kind, table, key, tuples in changes:
        log.rows[kind, table] += 1
        row = tuples.get("N") or tuples["K"]
        identity = (table, *(row[position] for position in key))
        large = ... in row
        if kind == "D":
            deleted.add(identity)
        elif kind == "I":
            log.reinserted += identity in deleted
        elif "K" in tuples:
            log.changed_keys += 1
            log.changed_keys_of_large += large
        else:
            log.unchanged_large += large
            updated[identity] += 1
    log.repeated += sum(times > 1 for times in updated.values())


def test_every_table_is_touched(conn):
    counts = apply_traffic(conn, seed=1, transactions=600)
    assert counts.transactions >= 600
    for table in TABLES:
        assert counts.inserts[table] > 0, table
        assert counts.updates[table] > 0, table
        assert counts.deletes[table] > 0, table


def test_counts_agree_with_the_change_log(conn):
    start_log(conn)
    counts = apply_traffic(conn, seed=1, transactions=300) + hard_cases(conn, seed=2, each=20)
    log = read_log(conn)
    assert counts.inserts == {table: log.rows["I", table] for table in TABLES}
    assert counts.updates == {table: log.rows["U", table] for table in TABLES}
    assert counts.deletes == {table: log.rows["D", table] for table in TABLES}


def test_hard_cases_are_in_the_change_log(conn):
    start_log(conn)
    counts = hard_cases(conn, seed=3, each=50)
    log = read_log(conn)
    assert min(counts.hard_cases.values()) >= 50
    assert set(counts.hard_cases) == set(HARD_CASES)
    assert log.unchanged_large >= 50
    assert log.changed_keys_of_large >= 50
    assert log.changed_keys > log.changed_keys_of_large  # keys of rows that follow
    assert log.reinserted >= 50
    assert log.repeated >= 50


def test_large_value_lies_out_of_line(conn):
    apply_traffic(conn, seed=1, transactions=40, mix={"unchanged_large_value": 1})
    rows = conn.execute(
        "select length(notes), pg_column_toast_chunk_id(notes) from customers where length(notes) > 2000 union all"
        " select length(description), pg_column_toast_chunk_id(description) from products"
        " where description not like '% %' union all"
        " select length(gateway_response::text), pg_column_toast_chunk_id(gateway_response) from payments"
        " where length(gateway_response::text) > 2000"
    ).fetchall()
    assert len(rows) >= 5
    assert all(length >= 10_000 and chunk is not None for length, chunk in rows)


def test_rollback_leaves_nothing(conn):
    conn.execute("create table before as select count(*) from customers")
    start_log(conn)
    counts = apply_traffic(conn, seed=1, transactions=60, mix={"rollback": 1})
    log = read_log(conn)
    assert counts.hard_cases["rollback"] == 60
    assert set(log.rows) == {("U", "customers")}  # around the savepoints that were rolled back
    assert log.rows["U", "customers"] == counts.updates["customers"] > 0


def test_every_operation_works_alone(conn):
    for operation in DEFAULT_MIX:
        counts = apply_traffic(conn, seed=1, transactions=4, mix={operation: 1})
        assert counts.transactions >= 4, operation


def test_same_seed_does_the_same(conn):
    first = apply_traffic(conn, seed=5, transactions=150), hard_cases(conn, seed=6, each=5), contents(conn)
    drop_shop(conn, dry_run=False)
    fill_shop(conn, orders=400, seed=7)
    assert (
        apply_traffic(conn, seed=5, transactions=150),
        hard_cases(conn, seed=6, each=5),
        contents(conn),
    ) == first


def test_other_seed_does_something_else(conn):
    first = apply_traffic(conn, seed=5, transactions=50)
    drop_shop(conn, dry_run=False)
    fill_shop(conn, orders=400, seed=7)
    assert apply_traffic(conn, seed=6, transactions=50) != first


def test_next_run_with_the_same_seed_goes_on(conn):
    newest = "select max(placed_at) from orders"
    apply_traffic(conn, seed=5, transactions=100)
    before = conn.execute(newest).fetchone()
    apply_traffic(conn, seed=5, transactions=100)
    assert conn.execute(newest).fetchone() > before


def test_references_hold_after_traffic(conn):
    hard_cases(conn, seed=4, each=10)
    for table, name in conn.execute("select conrelid::regclass::text, conname from pg_constraint where contype = 'f'"):
        (definition,) = conn.execute(
            "select pg_get_constraintdef(oid) from pg_constraint where conname = %s", (name,)
        ).fetchone()
        conn.execute(f"alter table {table} drop constraint {name}")
        conn.execute(f"alter table {table} add constraint {name} {definition}")  # looks at every row


def test_rate_and_stop_are_kept(conn):
    stop = threading.Event()
    timer = threading.Timer(1.0, stop.set)
    timer.start()
    counts = apply_traffic(conn, seed=1, rate=10, stop=stop)
    timer.join()
    assert 5 <= counts.transactions <= 13


def test_unfilled_shop_is_refused(conn):
    drop_shop(conn, dry_run=False)
    create_shop(conn)
    with pytest.raises(ConfigurationError, match="shop is empty"):
        apply_traffic(conn, seed=1, transactions=1)
    assert sum(count_rows(conn).values()) == 0


def test_unknown_operation_is_refused(conn):
    with pytest.raises(ConfigurationError, match="no such operation: sell_everything"):
        apply_traffic(conn, seed=1, transactions=1, mix={"sell_everything": 1})


def test_open_transaction_is_refused(conn):
    with conn.transaction(), pytest.raises(ConfigurationError, match="inside a transaction"):
        apply_traffic(conn, seed=1, transactions=1)
