"""`lakehouse query` reads all of the lake and changes nothing of it."""

import json

import duckdb
import pytest
from typer.testing import CliRunner

from connectors.lake.bronze import BronzeLog
from connectors.lake.contract_log import record_contracts
from connectors.lake.layout import LakeLayout
from deployments.cli import app
from tests.events import raw_batch
from tests.shop_lake import append_rows, shop_contracts

CATEGORIES = [
    (1, None, "Home", ["Home"], 1, True, "2026-01-05 10:00:00+00"),
    (2, 1, "Lamps", ["Home", "Lamps"], 2, None, "2026-01-05 10:00:00+00"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A state folder with a lake of one table."""
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    [contract] = [contract for contract in shop_contracts() if contract.table_name == "categories"]
    layout = LakeLayout(str(tmp_path / "lake"), "shop")
    record_contracts(layout, [contract], 0)
    append_rows(layout, contract, CATEGORIES)
    return tmp_path


def query(*arguments):
    return CliRunner().invoke(app, ["query", *arguments])


def test_silver_is_shown_as_a_table(folder):
    result = query("select category_id, name from silver.categories order by 1")
    assert result.exit_code == 0
    assert "Lamps" in result.stdout


def test_tables_of_all_layers_are_listed(folder):
    found = json.loads(query("show tables", "--json").stdout)
    assert found == [
        {"schema": "bronze", "name": "changes"},
        {"schema": "quarantine", "name": "messages"},
        {"schema": "silver", "name": "categories"},
    ]


def test_change_log_and_quarantine_are_read_like_tables(folder):
    empty = "select source_table, ingest_date, batch, key, value, value_bytes from bronze.changes"
    assert json.loads(query(empty, "--json").stdout) == []
    messages = [(b'{"id": 1}', b"\xff", [("lakehouse.epoch", b"1")]), (None, b"{}", [])]
    log = BronzeLog(LakeLayout(str(folder / "lake"), "shop"))
    log.append(raw_batch(messages), tables={"s.public.t": "public.t"})
    found = json.loads(
        query("select source_table, batch, key, value from bronze.changes order by all", "--json").stdout
    )
    row = {"source_table": "public.t", "batch": 1}
    assert found == [row | {"key": '{"id": 1}', "value": None}, row | {"key": None, "value": "{}"}]
    assert json.loads(query("select reason, outcome from quarantine.messages", "--json").stdout) == []


def test_json_is_one_array_of_objects(folder):
    result = query("select category_id, parent_id, updated_at from silver.categories order by 1", "--json")
    moment = "2026-01-05 10:00:00+00:00"
    assert json.loads(result.stdout) == [
        {"category_id": 1, "parent_id": None, "updated_at": moment},
        {"category_id": 2, "parent_id": 1, "updated_at": moment},
    ]


def test_csv_has_a_header_and_nothing_for_null(folder):
    result = query("select category_id, path, is_active from silver.categories order by 1", "--csv")
    assert result.stdout.splitlines() == [
        "category_id,path,is_active",
        '1,"[""Home""]",True',
        '2,"[""Home"", ""Lamps""]",',
    ]


def test_marts_are_found_with_and_without_their_schema(folder):
    with duckdb.connect(folder / "gold.duckdb") as gold:
        gold.execute("create schema marts; create table marts.dim_lamps as select 'a' as lamp")

    assert json.loads(query("from marts.dim_lamps", "--json").stdout) == [{"lamp": "a"}]
    assert json.loads(query("from dim_lamps, silver.categories limit 0", "--json").stdout) == []


@pytest.mark.parametrize(
    "sql",
    [
        "copy (select 1) to '{folder}/written.csv'",
        "with x as (copy (select 1) to '{folder}/written.csv') from x",
        "with x as (insert into marts.dim_lamps values ('b') returning lamp) from x",
        "explain analyze copy (select 1) to '{folder}/written.csv'",
        "drop view silver.categories",
        "attach '{folder}/written.duckdb' as other",
        "select 1; select 2",
    ],
)
def test_what_would_write_is_refused(folder, sql):
    with duckdb.connect(folder / "gold.duckdb") as gold:
        gold.execute("create schema marts; create table marts.dim_lamps as select 'a' as lamp")

    result = query(sql.format(folder=folder))

    assert result.exit_code == 1
    assert "error: " in result.stderr
    assert {path.name for path in folder.iterdir()} == {"lake", "gold.duckdb"}
    assert json.loads(query("from marts.dim_lamps", "--json").stdout) == [{"lamp": "a"}]


def test_an_unknown_table_is_an_error_with_a_hint(folder):
    result = query("from silver.ordres")
    assert result.exit_code == 1
    assert "ordres does not exist" in result.stderr
    assert "hint: " in result.stderr
    assert "query(?)" not in result.stderr


def test_without_a_lake_there_is_nothing_to_read(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    assert query("select 1 as one", "--csv").stdout == "one\n1\n"
