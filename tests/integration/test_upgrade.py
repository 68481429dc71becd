"""A source of an earlier release is brought up to date, and its owner is told which tables need more."""

import pytest
from deltalake import DeltaTable, write_deltalake

from connectors.cdc.rebuild import rebuild_checked
from connectors.cdc.registration import register_source
from connectors.cdc.resync import resync_table
from connectors.debezium.config import NULLS_AS_DEFAULTS
from connectors.lake.layout import LakeLayout
from connectors.postgres.identifiers import TableName
from tests.lake import differences, drain, open_lake, reconfigure, registered_source

DDL = """
CREATE TABLE item (
    id int PRIMARY KEY, size int DEFAULT 7, made timestamptz DEFAULT now(), name text NOT NULL DEFAULT 'x'
);
CREATE TABLE plain (id int PRIMARY KEY, note text);
CREATE TABLE log (size int DEFAULT 7);
CREATE TABLE coin (k numeric(20, 0) PRIMARY KEY, n int);
ALTER TABLE log REPLICA IDENTITY FULL;
"""
ITEM, COIN = TableName("public", "item"), TableName("public", "coin")


@pytest.fixture
def source(settings):
    with registered_source(settings, DDL) as source:
        yield source


def found(registration):
    return {(finding.subject, finding.fix) for finding in registration.warnings}


def test_connector_that_writes_defaults_for_nulls_is_mended_and_tables_are_named(settings, source):
    reconfigure(settings, **{NULLS_AS_DEFAULTS: "true"})
    source.execute("INSERT INTO item VALUES (1, NULL, NULL); INSERT INTO plain VALUES (1, NULL)")
    drain(settings, source)
    with open_lake(settings) as lake:
        assert lake.execute("SELECT size FROM silver.item").fetchall() == [(7,)]

    registration = register_source(settings)
    assert found(registration) == {
        ("public.item", "lakehouse resync public.item"),
        ("public.log", "lakehouse source remove --yes && lakehouse source register"),
    }
    [item] = [finding for finding in registration.warnings if finding.subject == "public.item"]
    assert item.problem.endswith("in size, made")
    source.execute("INSERT INTO item VALUES (2, NULL, NULL)")
    drain(settings, source)
    assert differences(settings) == {"public.item": ("different id=1 in made, size",)}
    resync_table(settings, ITEM)
    assert differences(settings) == {}
    assert found(register_source(settings)) == set()


def test_doubled_keys_are_named_and_rebuilt(settings, source):
    source.execute("INSERT INTO coin SELECT 99999999999999990000::numeric + i, 0 FROM generate_series(1, 5) i")
    drain(settings, source)
    # As an earlier release left it: rounded statistics, and a row twice.
    silver = DeltaTable(LakeLayout.of(settings).silver(COIN))
    rows = silver.to_pyarrow_table()
    silver.alter.set_table_properties({"delta.dataSkippingStatsColumns": "k"})
    write_deltalake(silver, rows, mode="overwrite")
    write_deltalake(silver, rows.slice(0, 1), mode="append")

    assert found(register_source(settings)) == {("public.coin", "lakehouse rebuild public.coin")}
    assert rebuild_checked(settings, COIN).differing == 1
    assert found(register_source(settings)) == set()
    source.execute("UPDATE coin SET n = 1")
    drain(settings, source)
    assert differences(settings) == {}
    source.execute("DELETE FROM coin")
    drain(settings, source)
    with open_lake(settings) as lake:
        assert lake.execute("SELECT count(*), count(*) FILTER (_cdc_deleted) FROM stored.coin").fetchall() == [(5, 5)]
