"""A run that is cancelled, or whose process is told to end, stops between two commits; the next one goes on there."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.deployments import run_deployment
from prefect.flow_runs import wait_for_flow_run
from prefect.states import Cancelling
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from connectors.cdc.drain import drained_batch
from connectors.postgres.lsn import format_lsn
from connectors.postgres.replication import emit_marker
from tests.crash.audit import Audit
from tests.lake import drain

ROOT = Path(__file__).parents[2]
ROWS = 300


def wait_for_batches(own, count):
    wanted = drained_batch(own) + count
    waiting = Retrying(
        retry=retry_if_result(lambda now: now < wanted), stop=stop_after_delay(120), wait=wait_fixed(0.1)
    )
    waiting(drained_batch, own)


def require_whole(own, connection, audit):
    """What the stopped run left is whole, and not all; then all of it, once it was drained."""
    stopped_at = drained_batch(own)
    assert stopped_at < ROWS
    drain(own, connection)
    verdict = audit.look(["*.*"])
    assert verdict.good, verdict


@pytest.fixture
def backlog(other_source):
    """A source with many changes to drain, and the environment of runs that commit each of them by itself."""
    own, connection = other_source
    connection.execute("INSERT INTO steady SELECT generate_series(1, %s)", [ROWS])
    environment = {
        "LAKEHOUSE_POSTGRES__DATABASE": own.postgres.database,
        "LAKEHOUSE_CDC__SOURCE": own.cdc.source,
        "LAKEHOUSE_CDC__BATCH_MESSAGES": "1",
    }
    return own, connection, environment


def test_cancelled_run_stops_between_commits(settings, backlog):
    own, connection, environment = backlog
    parameters, variables = {"through_lsn": format_lsn(emit_marker(connection))}, {"env": environment}
    flow_run = run_deployment(
        "drain-cdc/drain-local", parameters=parameters, job_variables=variables, timeout=0, as_subflow=False
    )
    wait_for_batches(own, 3)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run.id, Cancelling())
    done = asyncio.run(wait_for_flow_run(flow_run.id, timeout=120, poll_interval=1))
    assert done.state.is_cancelled(), done.state
    require_whole(own, connection, Audit(own))


def test_run_that_is_told_to_end_stops_between_commits(settings, backlog):
    own, connection, environment = backlog
    code = f"from flows import drain_cdc; drain_cdc({format_lsn(emit_marker(connection))!r})"
    environment = os.environ | environment | {"PREFECT_API_URL": settings.prefect.api_url}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment)
    wait_for_batches(own, 3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == -signal.SIGTERM
    require_whole(own, connection, Audit(own))
