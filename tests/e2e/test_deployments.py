"""The deployments, run by the worker of Prefect, keep lake and marts in step with the shop."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey, FlowRunFilter, FlowRunFilterId
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.flow_runs import wait_for_flow_run
from prefect.states import StateType
from psycopg import sql
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from connectors.cdc.rebuild import rebuild_checked
from connectors.errors import CommitConflict, ContractMismatch
from connectors.lake.reader import open_reader
from connectors.postgres.identifiers import TableName
from connectors.postgres.lsn import format_lsn
from connectors.postgres.replication import current_lsn, emit_marker
from connectors.synthetic import TABLES, count_rows, hard_cases
from tasks.policy import PRESET, preset_task

ROOT = Path(__file__).parents[2]
# Its turn is given back after a minute, while these tests run.
pytestmark = pytest.mark.usefixtures("killed_holder")


def run(deployment, *, environment=None, **parameters):
    variables = {"env": environment} if environment else None
    return run_deployment(
        deployment, parameters=parameters, job_variables=variables, timeout=180, poll_interval=1, as_subflow=False
    )


def wait_until_running(flow_run):
    waiting = Retrying(
        retry=retry_if_result(lambda state: not state.is_running()), wait=wait_fixed(0.5), stop=stop_after_delay(180)
    )
    with get_client(sync_client=True) as client:
        waiting(lambda: client.read_flow_run(flow_run.id).state)


def silver_counts(settings):
    with open_reader(settings) as lake:
        return {table: lake.execute(f"SELECT count(*) FROM silver.{table}").fetchone()[0] for table in TABLES}


def mart_count(settings, mart):
    with open_reader(settings) as lake:
        return lake.execute(f"SELECT count(*) FROM marts.{mart}").fetchone()[0]


def page(key):
    with get_client(sync_client=True) as client:
        [newest] = client.read_latest_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
        return newest.data


def names_below(flow_run):
    """Names of the flow runs that a run started, and of the task runs in all of them."""
    with get_client(sync_client=True) as client:
        tasks = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run.id])))
        below = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(parent_task_run_id={"any_": [task.id for task in tasks]})
        )
        inner = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[b.id for b in below])))
        return {b.name for b in below}, {task.name for task in inner}


def touch_every_table(shop):
    for table in TABLES:
        column = sql.Identifier(shop.execute(f"SELECT * FROM {table} LIMIT 0").description[0].name)
        query = "UPDATE {table} SET {column} = {column} WHERE ctid = (SELECT ctid FROM {table} LIMIT 1)"
        shop.execute(sql.SQL(query).format(table=sql.Identifier(table), column=column))


def test_deployment_brings_the_shop_into_the_marts(settings, shop):
    touch_every_table(shop)
    done = run("lakehouse/lakehouse-local", through_lsn=format_lsn(emit_marker(shop)))
    assert done.state.is_completed(), done.state
    assert re.fullmatch(r"lakehouse shop \d\d:\d\d:\d\d", done.name)
    assert re.fullmatch(r"[\d,]+ changes of shop in 10 tables, marts up to date", done.state.message)
    assert silver_counts(settings) == count_rows(shop)
    assert mart_count(settings, "fct_orders") == count_rows(shop)["orders"]

    flows, tasks = names_below(done)
    assert {name.rpartition(" ")[0] for name in flows} == {"drain shop", "build marts of shop"}
    assert {"drain shop", "find pending tables of shop", "dbt build", "model fct_orders"} <= tasks
    assert {f"merge public.{table}" for table in TABLES} <= tasks

    assert "| public.orders | " in page("drain-shop")
    assert "| fct_daily_sales | success |" in page("build-marts")


def test_later_changes_arrive_with_the_next_run(settings, shop):
    hard_cases(shop, seed=2, each=3)
    done = run("lakehouse/lakehouse-local", through_lsn=format_lsn(emit_marker(shop)))
    assert done.state.is_completed(), done.state
    assert silver_counts(settings) == count_rows(shop)
    assert mart_count(settings, "fct_orders") == count_rows(shop)["orders"]


def test_reconciling_drains_first_and_shows_that_all_is_equal(settings, shop):
    hard_cases(shop, seed=3, each=1)
    done = run("reconcile-tables/reconcile-local")
    assert done.state.is_completed(), done.state
    assert [name.rpartition(" ")[0] for name in names_below(done)[0]] == ["drain shop"]
    assert done.state.message == "10 tables equal their source"
    assert "Every table equals its source." in page("reconcile-shop")


def test_reconciling_fails_where_silver_differs(settings, shop):
    shop.execute("DELETE FROM returns WHERE return_id = (SELECT max(return_id) FROM returns)")
    done = run("reconcile-tables/reconcile-local", tables=["public.returns", "public.orders"], drain=False)
    assert done.state.is_failed(), done.state
    assert "public.returns (mismatches: 1): extra return_id=" in done.state.message
    assert "1 of 2 tables differ." in page("reconcile-shop")


def test_rebuilt_shop_equals_what_was_merged(settings, shop):
    rebuilt = [rebuild_checked(settings, TableName("public", table)) for table in TABLES]
    assert {str(report.table): report.differing for report in rebuilt if report.differing} == {}
    assert sum(report.changes for report in rebuilt) > sum(count_rows(shop).values())


def drain_in_script(environment):
    """Name of the run in which a script drained."""
    code = """
from flows import drain_cdc
state = drain_cdc(return_state=True)
print(state.type.value, state.state_details.flow_run_id)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    state, run_id = done.stdout.splitlines()[-1].split()
    assert state == "COMPLETED"
    return UUID(run_id)


def test_flow_in_a_script_runs_with_the_server_of_the_settings(settings, shop):
    run_id = drain_in_script(os.environ)
    with get_client(sync_client=True) as client:
        assert client.read_flow_run(run_id).name.startswith(f"drain {settings.cdc.source} ")


def test_flow_runs_in_a_script_without_a_server(settings, shop, tmp_path):
    run_id = drain_in_script(
        os.environ
        | {
            # A home without a stack: the services are named one by one.
            "LAKEHOUSE_HOME": str(tmp_path / "home"),
            "LAKEHOUSE_POSTGRES__HOST": settings.postgres.host,
            "LAKEHOUSE_POSTGRES__PORT": str(settings.postgres.port),
            "LAKEHOUSE_POSTGRES__USER": settings.postgres.user,
            "LAKEHOUSE_POSTGRES__PASSWORD": settings.postgres.password.get_secret_value(),
            "LAKEHOUSE_POSTGRES__DATABASE": settings.postgres.database,
            "LAKEHOUSE_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
            "LAKEHOUSE_CONNECT__URL": settings.connect.url,
            "LAKEHOUSE_LAKE__ROOT": settings.lake.root,
            "PREFECT_HOME": str(tmp_path),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        }
    )
    with get_client(sync_client=True) as client, pytest.raises(ObjectNotFound, match=r".*"):
        client.read_flow_run(run_id)


def test_second_drain_at_a_time_gives_way(settings, shop):
    # The first one waits for a marker that is written when the other one has given way.
    parameters = {"through_lsn": format_lsn(current_lsn(shop) + 1)}
    one = run_deployment("drain-cdc/drain-local", parameters=parameters, timeout=0, as_subflow=False)
    wait_until_running(one)
    other = run("drain-cdc/drain-local")
    emit_marker(shop)
    one = asyncio.run(wait_for_flow_run(one.id, timeout=180, poll_interval=1))
    assert (one.state.type, other.state.type) == (StateType.COMPLETED, StateType.CANCELLED)


def test_table_that_fails_does_not_hold_up_the_others(other_source):
    own, connection = other_source
    connection.execute("INSERT INTO steady VALUES (1), (2); ALTER TABLE changing ALTER COLUMN id TYPE text")
    connection.execute("INSERT INTO changing VALUES ('one')")
    environment = {
        "LAKEHOUSE_POSTGRES__DATABASE": own.postgres.database,
        "LAKEHOUSE_CDC__SOURCE": own.cdc.source,
    }
    paused = environment | {"LAKEHOUSE_CDC__AUTO_RESYNC_ROWS": "0"}
    done = run("drain-cdc/drain-local", environment=paused, through_lsn=format_lsn(emit_marker(connection)))
    assert done.state.is_failed(), done.state
    assert "1 of 2 tables were not merged:\npublic.changing: " in done.state.message
    assert done.state.message.startswith("2 changes in 1 table, 1 paused: 1 of 2 tables were not merged:")
    assert "| public.changing | **paused** |" in page(f"drain-{own.cdc.source.replace('_', '-')}")
    with open_reader(own) as lake:
        assert lake.execute("SELECT count(*) FROM silver.steady").fetchall() == [(2,)]

    done = run("drain-cdc/drain-local", environment=environment, through_lsn=format_lsn(emit_marker(connection)))
    assert done.state.is_completed(), done.state
    assert "| public.changing | resynced |" in page(f"drain-{own.cdc.source.replace('_', '-')}")
    with open_reader(own) as lake:
        assert lake.execute("SELECT id FROM silver.changing").fetchall() == [("one",)]


@pytest.mark.parametrize(
    ("error", "attempts"), [(CommitConflict("x"), 1 + PRESET["retries"]), (ContractMismatch("x"), 1)]
)
def test_only_transient_errors_are_tried_again(settings, error, attempts):
    tried = []

    @preset_task("attempt")
    def attempt() -> None:
        tried.append(1)
        raise error

    @flow
    def try_it() -> None:
        attempt.with_options(retry_delay_seconds=0)(return_state=True)

    try_it()
    assert len(tried) == attempts
