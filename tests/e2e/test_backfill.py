"""A backfill that is killed and fails in part ends with every partition made exactly once, counted in the data."""

import json
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import psutil
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey, FlowRunFilter
from prefect.deployments import run_deployment
from tenacity import Retrying, retry_if_not_result, stop_after_delay, wait_fixed

from connectors.backfill.plan import open_ledger
from connectors.lake.gold import gold_file
from connectors.settings import load_settings
from tests import hourly_target
from tests.crash.outage import kill_processes

ROOT = Path(__file__).parents[2]
SINCE, UNTIL = date(2026, 2, 10), date(2026, 4, 11)  # 60 days, one of 23 hours in Berlin
DAYS = [str(SINCE + timedelta(days=n)) for n in range(60)]
BROKEN = ["2026-02-14", "2026-03-29", "2026-04-10"]
CODE = """
import sys
from tests.hourly_target import install
from flows import backfill

install(sys.argv[1])
done = backfill("hourly", since="2026-02-10", until="2026-04-11", parallel=4, return_state=True)
print(done.type.value, done.message)
"""
PARTITIONS = ["fct_daily_sales 2025-06-01", "fct_daily_sales 2025-06-02"]
COMMAND = """
import sys
from tests.hourly_target import install
from deployments.cli import app

install(sys.argv.pop(1))
app()
"""


@pytest.fixture
def folder(tmp_path):
    hourly_target.create(tmp_path / "hourly")
    return tmp_path / "hourly"


def environment(settings, folder, **more):
    own = {
        "PREFECT_API_URL": settings.prefect.api_url,
        "LAKEHOUSE_LAKE__ROOT": str(folder / "lake"),
        "LAKEHOUSE_BACKFILL__TIME_ZONE": "Europe/Berlin",
        "LAKEHOUSE_BACKFILL__LEASE_SECONDS": "10",
    }
    return os.environ | own | more


def start(settings, folder, code, *arguments, **more):
    command = [sys.executable, "-c", code, str(folder), *arguments]
    environ = environment(settings, folder, **more)
    return subprocess.run(command, cwd=ROOT, env=environ, check=False, capture_output=True, text=True)


def states(settings, folder):
    done = start(settings, folder, COMMAND, "partitions", "hourly", "--json")
    return {p["partition"]: p for p in json.loads(done.stdout)}


def page(key):
    with get_client(sync_client=True) as client:
        [newest] = client.read_latest_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
        return newest.data


def test_sixty_days_are_made_once_though_three_fail_and_one_run_is_killed(settings, folder):
    (folder / "broken").write_text(" ".join(BROKEN))
    killed = start(settings, folder, CODE, LAKEHOUSE_FAILPOINT="partition-written:20")
    assert killed.returncode == -9, killed.stdout + killed.stderr
    left = states(settings, folder)
    assert set(left) == set(DAYS)
    # Four at a time: of the one that was killed, and maybe of others, the data is written and the ledger does not know.
    in_flight = {day for day, p in left.items() if p["state"] in ("running", "interrupted")}
    assert 1 <= len(in_flight) <= 4
    before = {day for day, p in left.items() if p["state"] == "done"}
    assert 15 <= len(before) <= 25

    failed = start(settings, folder, CODE)
    assert (
        f"57 partitions done, 3 failed: 3 of {60 - len(before)} partitions failed: {', '.join(BROKEN)}" in failed.stdout
    ), failed.stderr
    assert {day for day, p in states(settings, folder).items() if p["state"] != "done"} == set(BROKEN)
    assert {row["day"] for row in hourly_target.rows(folder)} == set(DAYS) - set(BROKEN)
    assert "57 done, 3 failed" in page("backfill-hourly")
    assert "| 2026-03-29 | TerminalError: the source of 2026-03-29 is broken |" in page("backfill-hourly")

    (folder / "broken").write_text("")
    mended = start(settings, folder, CODE)
    assert "COMPLETED" in mended.stdout, mended.stderr
    rows = hourly_target.rows(folder)
    assert sorted(row["hour"] for row in rows) == hourly_target.all_hours(SINCE, UNTIL, "Europe/Berlin")
    assert sum(row["day"] == "2026-03-29" for row in rows) == 23

    # Only what was in flight when the run was killed may have been written twice, the second time over the first.
    writes = hourly_target.writes(folder)
    assert set(writes) == set(DAYS)
    assert {day for day, times in writes.items() if times > 1} <= in_flight
    assert max(writes.values()) <= 2
    ended = states(settings, folder)
    assert {(p["state"], p["rows"]) for day, p in ended.items() if day != "2026-03-29"} == {("done", 24)}
    assert ended["2026-03-29"]["rows"] == 23
    assert {day: p["attempt"] for day, p in ended.items() if day in before} == dict.fromkeys(before, 1)
    assert float(page("backfill-hourly-progress")) == 100

    grid = start(settings, folder, COMMAND, "partitions", "hourly").stdout
    assert "■ 60 done" in grid
    assert [grid.count(month) for month in ("2026-02", "2026-03", "2026-04")] == [1, 1, 1]
    assert grid.count("■") == 61


def kill(flow_run):
    """Kills the process of a run, as soon as there is one."""

    def find():
        variable = ("PREFECT__FLOW_RUN_ID", str(flow_run.id))
        return [p for p in psutil.process_iter(["environ"]) if variable in (p.info["environ"] or {}).items()]

    kill_processes(until(find, bool))


def until(ask, condition):
    waiting = Retrying(retry=retry_if_not_result(condition), stop=stop_after_delay(120), wait=wait_fixed(0.2))
    return waiting(ask)


def test_deployment_that_was_killed_joins_the_runs_that_it_had_begun(settings, shop):
    """Each partition is a run of its own, which the killed backfill had started and the next one only waits for."""
    if not gold_file(load_settings()).exists():
        run_deployment("lakehouse/lakehouse-local", timeout=180, poll_interval=1, as_subflow=False)
    parameters = {"target": "fct_daily_sales", "since": "2025-06-01", "until": "2025-06-03"}
    killed = run_deployment("backfill/backfill-local", parameters=parameters, timeout=0, as_subflow=False)
    until(runs_of_partitions, bool)
    kill(killed)

    done = run_deployment(
        "backfill/backfill-local", parameters=parameters, timeout=240, poll_interval=1, as_subflow=False
    )
    assert done.state.is_completed(), done.state
    assert done.name == "backfill fct_daily_sales 2025-06-01 to 2025-06-03"
    entries = open_ledger(settings, "fct_daily_sales").entries()
    assert {key: (entry.state.value, entry.attempt) for key, entry in entries.items()} == {
        "2025-06-01": ("done", 1),
        "2025-06-02": ("done", 1),
    }
    runs = runs_of_partitions()
    assert sorted(run.name for run in runs) == PARTITIONS
    assert all(run.deployment_id is not None and run.state.is_completed() for run in runs)
    assert "2 done" in page("backfill-fct-daily-sales")
    with get_client(sync_client=True) as client:
        assert not client.read_flow_run(killed.id).state.is_completed()


def runs_of_partitions():
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(flow_run_filter=FlowRunFilter(name={"any_": PARTITIONS}))
