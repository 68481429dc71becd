"""Reconciling a source that is captured: what the command says of a lake that is right, and of one that is not."""

import json

import pytest
from deltalake import DeltaTable
from typer.testing import CliRunner

from connectors.cdc.registration import register_source
from connectors.errors import ConfigurationError, ReconciliationMismatch
from connectors.lake.layout import LakeLayout
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName
from connectors.quality.reconcile import reconcile_source, require_equal
from deployments.cli import app

DDL = """
CREATE TABLE orders (id int PRIMARY KEY, total numeric(12, 2), note text);
CREATE TABLE log (at timestamptz, note text);
ALTER TABLE log REPLICA IDENTITY FULL;
CREATE SCHEMA sales;
CREATE TABLE sales.nothing (id int PRIMARY KEY);
INSERT INTO orders SELECT n, n * 1.5, 'note ' || n FROM generate_series(1, 500) n;
INSERT INTO log SELECT NULL, 'twice' FROM generate_series(1, 2);
"""
ORDERS = TableName("public", "orders")


@pytest.fixture
def source(settings, environment):
    """A registered source, which the command finds in the environment."""
    with connect(settings.postgres) as connection:
        connection.execute(DDL)
        register_source(settings)
        yield connection


def run(*arguments):
    return CliRunner().invoke(app, ["reconcile", *arguments])


def test_command_drains_compares_and_names_what_is_wrong(source, settings):
    source.execute("UPDATE orders SET total = total + 1 WHERE id % 10 = 0; DELETE FROM orders WHERE id = 7")
    source.execute("INSERT INTO log VALUES (now(), 'once'); DELETE FROM log WHERE ctid = (SELECT min(ctid) FROM log)")
    result = run("--json")
    assert result.exit_code == 0, result.output
    found = {
        row["table"]: (row["source_rows"], row["silver_rows"], row["mismatches"]) for row in json.loads(result.stdout)
    }
    assert found == {"public.orders": (499, 499, 0), "public.log": (2, 2, 0), "sales.nothing": (0, 0, 0)}

    silver = DeltaTable(LakeLayout.of(settings).silver(ORDERS))
    silver.update(predicate="id = 42", updates={"note": "'corrupted'"})
    result = run("--no-drain")
    assert result.exit_code == 1
    assert "public.orders (mismatches: 1): different id=42 in note" in result.stderr
    assert "hint: what is not drained yet differs, too" in result.stderr
    result = run()
    assert result.exit_code == 1
    assert "nothing was written meanwhile to these tables: `lakehouse resync public.orders`" in result.stderr
    assert run("--no-drain", "--table", "*.log", "--table", "sales.*").exit_code == 0

    source.execute("ALTER TABLE orders ADD COLUMN since date DEFAULT '2026-01-01'")
    source.execute("INSERT INTO orders VALUES (1000, 1, 'not drained')")
    [orders] = reconcile_source(settings, ["public.orders"])
    assert (orders.source_rows, orders.silver_rows, orders.mismatches) == (500, 499, 500)
    with pytest.raises(ReconciliationMismatch, match=r"public\.orders \(mismatches: 500\): .* in since"):
        require_equal([orders])


def test_table_that_is_not_captured_is_refused(source, settings):
    with pytest.raises(ConfigurationError, match=r"meant by public\.lost(?s:.*)public\.log, public\.orders"):
        reconcile_source(settings, ["public.lost"])


def test_source_that_is_not_registered_is_refused(settings):
    with pytest.raises(ConfigurationError, match="not registered"):
        reconcile_source(settings)
