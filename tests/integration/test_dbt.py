"""The dbt project on a lake made by hand: what it reads is pinned, what it builds appears whole or not at all."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from prefect_dbt.utilities import format_resource_id

from connectors.lake.gold import moved_tables
from connectors.lake.layout import LakeLayout
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings, load_settings
from tasks.assets import load_asset, silver_asset
from tests.s3 import local_s3
from tests.shop_lake import append_rows, shop_contracts, write_shop_lake

ROOT = Path(__file__).parent.parent.parent
DBT = ("--project-dir", str(ROOT / "dbt"), "--profiles-dir", str(ROOT / "dbt"))
ORDERS = 120


class Home:
    """A state folder with a lake, and the commands that run on it."""

    parsed = None
    """What dbt keeps of a parsed project: each home after the first begins with it."""

    def __init__(self, folder, *, lake=None):
        self.folder = folder
        self.lake = lake or f"{folder}/lake"
        self.environment = os.environ | {
            "LAKEHOUSE_HOME": str(folder),
            "LAKEHOUSE_LAKE__ROOT": self.lake,
            "DBT_TARGET_PATH": f"{folder}/dbt/target",
            "DBT_LOG_PATH": f"{folder}/dbt/logs",
            "PYTHONPATH": str(ROOT),
        }

        if Home.parsed is not None:
            target = self.folder / "dbt/target"
            target.mkdir(parents=True)
            shutil.copy(Home.parsed, target)

    def start(self, *arguments):
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def start_dbt(self, *arguments):
        return self.start("-c", "from dbt.cli.main import cli; cli()", "--no-use-colors", *arguments, *DBT)

    def dbt(self, *arguments):
        process = self.start_dbt(*arguments)
        output, _ = process.communicate()
        return process.returncode, output

    def query(self, sql):
        process = self.start("-c", "from deployments.cli import app; app()", "query", "--json", sql)
        output, _ = process.communicate()
        assert process.returncode == 0, output
        return [list(row.values()) for row in json.loads(output)]

    def add_order(self, number, *, status="paid"):
        [contract] = [contract for contract in shop_contracts() if contract.table_name == "orders"]
        moment = "2026-01-05 10:00:00"
        amounts = ("10.00", "0.00", "0.00", "10.00")
        row = (number, 1, None, status, "EUR", *amounts, None, None, "{}", moment, moment, moment)
        append_rows(LakeLayout(self.lake, "shop"), contract, [row])


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A shop whose gold is built, with all tests passed."""
    home = Home(tmp_path_factory.mktemp("it's a shop"))
    write_shop_lake(home.lake, orders=ORDERS)
    code, output = home.dbt("build")
    assert code == 0, output
    assert "WARN=0 ERROR=0" in output
    Home.parsed = home.folder / "dbt/target/partial_parse.msgpack"
    return home


def test_marts_agree_with_silver(built):
    [[orders, total, customers, returns]] = built.query(
        "select count(*), sum(total), (select count(*) from silver.customers), (select count(*) from silver.returns)"
        " from silver.orders"
    )
    assert built.query("select count(*), sum(total) from marts.fct_orders") == [[orders, total]]
    assert built.query("select sum(orders), sum(gross_sales) from marts.fct_daily_sales") == [[orders, total]]
    assert built.query(
        "select count(*), (select count(*) from staging.stg_shop__returns) from marts.dim_customers"
    ) == [[customers, returns]]


def test_a_build_leaves_only_gold_and_its_lock(built):
    assert {path.name for path in built.folder.iterdir()} == {"lake", "dbt", "gold.duckdb", "gold.lock"}


def test_lineage_goes_on_from_silver_to_the_models(built):
    manifest = json.loads((built.folder / "dbt/target/manifest.json").read_text())
    relations = {(s["source_name"], s["name"]): s["relation_name"] for s in manifest["sources"].values()}
    assert {t for s, t in relations if s == "silver"} == {contract.table_name for contract in shop_contracts()}
    for (source, table), relation in relations.items():
        captured = silver_asset(Settings(), TableName("public", table))
        asset = captured if source == "silver" else load_asset(Settings(), TableName(source, table))
        assert format_resource_id("duckdb", relation) == asset.key
    owners = {n["config"]["meta"]["owner"] for n in manifest["nodes"].values() if n["resource_type"] == "model"}
    assert owners == {"analytics"}


def test_only_tables_that_were_written_since_the_build_have_moved(built, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(built.folder))
    assert moved_tables(load_settings()) == []
    [orders] = [contract for contract in shop_contracts() if contract.table_name == "orders"]
    append_rows(LakeLayout(built.lake, "shop"), orders, [])
    assert moved_tables(load_settings()) == ["public.orders"]
    code, output = built.dbt("run", "--select", "stg_shop__orders")
    assert code == 0, output
    # A part of the marts is new, which tells nothing of the others.
    assert len(moved_tables(load_settings())) == len(list(shop_contracts()))


def test_timestamps_without_zone_have_none_in_staging(built):
    [[kind, same]] = built.query(
        "select typeof(o.placed_local), o.placed_local = cast(s.placed_local as timestamp)"
        " from staging.stg_shop__orders as o join silver.orders as s using (order_id) limit 1"
    )
    assert (kind, same) == ("TIMESTAMP", True)


def test_readers_see_the_last_build_until_the_next_is_complete(built):
    built.add_order(9_001)
    build = built.start_dbt("run", "--select", "+fct_orders")
    seen = []
    while build.poll() is None:
        seen += built.query("select count(*) from marts.fct_orders")
    output = build.stdout.read()
    build.stdout.close()

    assert build.returncode == 0, output
    assert len(seen) > 1
    assert [ORDERS] in seen
    assert {count for (count,) in seen} <= {ORDERS, ORDERS + 1}
    assert built.query("select count(*) from marts.fct_orders") == [[ORDERS + 1]]


def test_a_build_with_failing_tests_is_not_published(tmp_path):
    home = Home(tmp_path)
    write_shop_lake(home.lake, orders=20)
    with duckdb.connect(tmp_path / "gold.duckdb") as earlier:
        earlier.execute("create table main.earlier as select 1")
    before = (tmp_path / "gold.duckdb").read_bytes()
    home.add_order(9_001, status="nonsense")
    code, output = home.dbt("build", "--select", "stg_shop__orders")

    assert code == 1, output
    assert "Got 1 result, configured to fail if != 0" in output
    assert (tmp_path / "gold.duckdb").read_bytes() == before
    assert not list(tmp_path.glob("gold.next*"))


TWO_RUNS = """
import sys
from pathlib import Path
from dbt.cli.main import dbtRunner
from tests.integration.test_dbt import DBT, Home

home = Home(Path.cwd())

def write_meanwhile(event):
    if event.info.name == "NodeFinished" and event.data.node_info.node_name == "stg_shop__orders":
        home.add_order(9_002)

assert dbtRunner(callbacks=[write_meanwhile]).invoke(["run", "--select", "+fct_orders", *DBT]).success
print(home.query("select count(*) from gold.marts.fct_orders"))
assert dbtRunner().invoke(["run", "--select", "+fct_orders", *DBT]).success
print(home.query("select count(*) from gold.marts.fct_orders"))
"""


def test_each_run_of_a_process_pins_anew_and_reads_one_version(tmp_path):
    home = Home(tmp_path)
    write_shop_lake(home.lake, orders=20)
    process = home.start("-c", TWO_RUNS)
    output, _ = process.communicate()

    assert process.returncode == 0, output
    assert [line for line in output.splitlines() if line.startswith("[[")] == ["[[20]]", "[[21]]"]


def test_a_lake_on_s3_is_built(tmp_path):
    with local_s3() as address:
        home = Home(tmp_path, lake=f"{address}/of the shop")
        write_shop_lake(home.lake, orders=20)

        code, output = home.dbt("run", "--select", "+fct_daily_sales")

        assert code == 0, output
        assert home.query("select sum(orders) from marts.fct_daily_sales") == [[20]]
