"""Tables that are captured no more: renamed, dropped, or left out; and what becomes of their silver."""

import pytest

from connectors.cdc.registration import register_source
from connectors.cdc.removal import forget_tables
from connectors.cdc.sync import sync_source
from connectors.errors import ConfigurationError, ReconciliationMismatch
from connectors.lake.reader import query_lake
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import emit_marker
from connectors.quality.reconcile import reconcile_source, require_equal
from tests.lake import differences, drain, registered_source, with_cdc

DDL = """
CREATE SCHEMA sales;
CREATE TABLE item (id int PRIMARY KEY, name text);
CREATE TABLE cart (id int PRIMARY KEY, name text);
INSERT INTO item SELECT n, 'before' FROM generate_series(1, 3) n;
INSERT INTO cart SELECT n, 'before' FROM generate_series(1, 3) n;
"""
ITEM, CART = TableName("public", "item"), TableName("public", "cart")


@pytest.fixture
def source(settings):
    with registered_source(settings, DDL) as source:
        yield source


def rows(settings, view):
    with query_lake(settings, f"SELECT id, name FROM silver.{view} ORDER BY id") as found:
        return found.fetchall()


@pytest.mark.parametrize(
    ("change", "now", "view"),
    [
        ("ALTER TABLE cart RENAME TO basket", TableName("public", "basket"), "basket"),
        ("ALTER TABLE cart SET SCHEMA sales", TableName("sales", "cart"), "sales__cart"),
    ],
)
def test_renamed_table_is_held_and_captured_under_its_new_name(settings, source, change, now, view):
    source.execute(change)
    source.execute(f"INSERT INTO {now} VALUES (4, 'after')")
    report = sync_source(settings, through_lsn=emit_marker(source))
    assert f"it was renamed to {now}: changes are missed from then on" in str(report.checked.paused[CART])
    assert set(report.checked.paused) == {CART}
    with pytest.raises(ReconciliationMismatch, match=r"public\.cart \(mismatches: 3\): the table is gone") as raised:
        require_equal(reconcile_source(settings))
    assert "`lakehouse source register` ends that" in raised.value.hint

    changed = register_source(settings).changed
    assert f"snapshot of {now} taken" in changed
    assert f"{CART} is no longer captured; silver stays until `lakehouse source forget {CART}`" in changed
    source.execute(f"UPDATE {now} SET name = 'again' WHERE id = 1")
    drain(settings, source)
    assert differences(settings) == {}
    assert rows(settings, view) == [(1, "again"), (2, "before"), (3, "before"), (4, "after")]
    assert rows(settings, "cart") == [(1, "before"), (2, "before"), (3, "before")]


def test_dropped_table_stays_and_can_come_back(settings, source):
    source.execute("DELETE FROM cart WHERE id = 1; DROP TABLE cart")
    report = sync_source(settings, through_lsn=emit_marker(source))
    assert (report.checked.paused, report.checked.dropped) == ({}, (CART,))
    assert differences(settings) == {"public.cart": ("the table is gone from the source",)}
    register_source(settings)
    drain(settings, source)
    assert differences(settings) == {}
    assert rows(settings, "cart") == [(2, "before"), (3, "before")]

    source.execute("CREATE TABLE cart (id int PRIMARY KEY, name text); INSERT INTO cart VALUES (7, 'anew')")
    drain(settings, source)
    assert "snapshot of public.cart taken" in register_source(settings).changed
    drain(settings, source)
    assert (differences(settings), rows(settings, "cart")) == ({}, [(7, "anew")])


def test_table_that_is_left_out_is_captured_no_more_until_it_is_again(settings, source):
    without = with_cdc(settings, tables=("*.*", "!public.cart"))
    source.execute("UPDATE cart SET name = 'last' WHERE id = 1")
    assert register_source(without).tables == (ITEM,)
    source.execute("UPDATE cart SET name = 'too late'; UPDATE item SET name = 'after'")
    drain(without, source)
    assert differences(without) == {}
    assert rows(without, "cart") == [(1, "last"), (2, "before"), (3, "before")]
    assert register_source(without).changed == ()

    assert "snapshot of public.cart taken" in register_source(settings).changed
    drain(settings, source)
    assert differences(settings) == {}
    assert rows(settings, "cart") == [(n, "too late") for n in (1, 2, 3)]


def test_silver_of_what_is_captured_no_more_is_deleted_for_good(settings, source):
    with pytest.raises(ConfigurationError, match=r"public\.cart is captured: only tables that are not captured"):
        forget_tables(settings, ["public.cart"], dry_run=False)
    without = with_cdc(settings, tables=("public.item",))
    register_source(without)
    assert forget_tables(without, ["public.cart"]) == [CART]
    assert len(rows(without, "cart")) == 3
    assert forget_tables(without, ["public.cart"], dry_run=False) == [CART]
    drain(without, source)
    assert forget_tables(without, ["public.cart"], dry_run=False) == []
    assert differences(without) == {}

    register_source(settings)
    drain(settings, source)
    assert (differences(settings), len(rows(settings, "cart"))) == ({}, 3)


def test_partition_that_has_no_identity_holds_the_table_until_it_has(settings, source):
    source.execute("""
        CREATE TABLE log (id int, name text) PARTITION BY RANGE (id);
        CREATE TABLE log_low PARTITION OF log FOR VALUES FROM (0) TO (10);
        ALTER TABLE log REPLICA IDENTITY FULL; ALTER TABLE log_low REPLICA IDENTITY FULL;
    """)
    register_source(settings)
    drain(settings, source)
    source.execute("CREATE TABLE log_high PARTITION OF log FOR VALUES FROM (10) TO (20)")
    source.execute("INSERT INTO log VALUES (1, 'low'), (11, 'high')")
    report = sync_source(settings, through_lsn=emit_marker(source))
    paused = report.checked.paused[TableName("public", "log")]
    assert "public.log_high is a partition of public.log, and has not its replica identity, FULL" in paused.message
    fix = 'ALTER TABLE "public"."log_high" REPLICA IDENTITY FULL;'
    assert fix in paused.hint
    source.execute(f"{fix} DELETE FROM log WHERE id = 11")
    drain(settings, source)
    assert differences(settings) == {}
