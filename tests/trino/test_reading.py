"""Trino finds the lake's tables in the Glue Catalog, and reads there what DuckDB does, by Delta and by Iceberg."""

import pytest

from connectors.cdc.contract_check import ContractCheck
from connectors.cdc.drain import drained_batch
from connectors.cdc.iceberg import mirror_all
from connectors.cdc.merge import merge_table
from connectors.lake.contract_log import record_contracts
from connectors.lake.glue import register_tables
from connectors.lake.reader import query_lake
from connectors.postgres.comments import Comments
from connectors.postgres.contracts import ColumnContract
from connectors.settings import CatalogSettings, IcebergSettings
from tests.events import event
from tests.silver_lake import KEYED, KEYLESS, row
from tests.unit.test_rebuild import TABLE, Source

ADDED = (
    ColumnContract(name="price", type_name="numeric", precision=8, scale=2, number=4),
    ColumnContract(name="at", type_name="timestamp", number=5),
)
COMMENTS = Comments("Orders of the shop.", {"name": "What it is called"})


@pytest.fixture
def new_source(lake, tmp_path, monkeypatch):
    def make(name, contract):
        monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
        source = Source(f"{lake.bucket}/{name}", contract)
        catalog = CatalogSettings(glue=True, prefix=f"{name}_")
        iceberg = IcebergSettings(catalog="glue", tables=("public.*",))
        source.settings = source.settings.model_copy(update={"catalog": catalog, "iceberg": iceberg})
        return source

    return make


def bring(source, *messages):
    source.receive(*messages)
    check = ContractCheck(drained_batch(source.settings), comments={TABLE: COMMENTS})
    merge_table(source.settings, TABLE, checked=check)
    register_tables(source.settings)
    mirror_all(source.settings)


def ours(source, sql):
    with query_lake(source.settings, sql) as result:
        return sorted(result.fetchall())


def test_rows_of_delta_and_iceberg_are_ours_also_after_a_column_was_added(lake, new_source):
    source, query = new_source("keyed", KEYED), lake.trino.query
    bring(source, *(event("c", row(n, f"name {n}", "x"), lsn=10 + n, prev=5) for n in range(1_000)))
    bring(source, event("d", row(7, None, None), lsn=2_000, prev=1_990))
    columns = "id, name, big"
    expected = ours(source, f"SELECT {columns} FROM silver.t")
    assert len(expected) == 999
    for table in ("delta.keyed_silver.t", "iceberg.keyed_silver_iceberg.t"):
        assert query(f"SELECT {columns} FROM {table} WHERE NOT _cdc_deleted") == expected
    wider = KEYED.model_copy(update={"columns": (*KEYED.columns, *ADDED)})
    record_contracts(source.layout, [wider], 1)
    added = {"price": "12.50", "at": 1_767_225_600_000_000}
    bring(source, event("u", row(1, "new", "x") | added, lsn=3_000, prev=2_990))
    columns = "id, name, CAST(price AS VARCHAR), CAST(CAST(at AS TIMESTAMP) AS VARCHAR)"
    for table in ("delta.keyed_silver.t", "iceberg.keyed_silver_iceberg.t"):
        where = f"FROM {table} WHERE NOT _cdc_deleted AND (id = 1 OR id = 2)"
        found = query(f"SELECT {columns} {where}")
        assert [values[:3] for values in found] == [(1, "new", "12.50"), (2, "name 2", None)]
        assert found[0][3].startswith("2026-01-01 00:00:00")
        assert query(f"SELECT count(*), sum(id) FROM {table}") == [(1_000, 499_500)]


def test_meaning_and_comments_are_shown(lake, new_source):
    bring(new_source("described", KEYED), event("c", row(1, "a", "x"), lsn=10, prev=5))
    comments = {name: comment for name, _, _, comment in lake.trino.query("SHOW COLUMNS FROM delta.described_silver.t")}
    assert comments["name"] == "What it is called"
    [(shown,)] = lake.trino.query("SHOW CREATE TABLE delta.described_silver.t")
    assert "One row per key. Rows with _cdc_deleted are gone at the source" in shown


def test_current_rows_of_a_table_without_a_key(lake, new_source):
    source, query = new_source("keyless", KEYLESS), lake.trino.query
    bring(source, *(event("c", row(n % 2, "a", "x"), lsn=10 + n, prev=5) for n in range(5)))
    bring(source, event("u", row(0, "b", "x"), before=row(0, "a", "x"), lsn=30, prev=25))
    expected = ours(source, "SELECT id, name, big FROM silver.t")
    assert query("SELECT id, name, big FROM delta.keyless_current.t") == expected
    counted = "SELECT id, name, big FROM delta.keyless_silver.t GROUP BY 1, 2, 3 HAVING sum(_cdc_weight) > 0"
    assert query(counted) == sorted(set(expected))
