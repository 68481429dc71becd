"""The deployment of the Spark job, on a stand-in for EMR Serverless: cancelled with its run, or followed to its end."""

import asyncio
import threading

import pytest
from prefect.client.orchestration import get_client
from prefect.deployments import run_deployment
from prefect.flow_runs import wait_for_flow_run
from prefect.states import Cancelling
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from connectors.lake.checked import Checked, record_checked
from connectors.lake.engines.local import LocalRunner
from deployments.spark.merge_job import work_on_tables
from tests.emr import SPARK, emr_serverless
from tests.events import event
from tests.silver_lake import KEYED, row
from tests.unit.test_rebuild import Source


@pytest.fixture
def source(settings, tmp_path):
    source = Source(str(tmp_path / "lake"), KEYED)
    source.receive(event("c", row(1, "a", "x"), lsn=10, prev=5))
    record_checked(source.layout, Checked(1))
    return source


def started(source, emr):
    """A run of the deployment."""
    spark = SPARK.model_dump(include={"application_id", "role_arn", "code", "log_uri"})
    environment = {
        "LAKEHOUSE_LAKE__ROOT": source.settings.lake.root,
        "LAKEHOUSE_CDC__SOURCE": source.settings.cdc.source,
        "LAKEHOUSE_CDC__MERGE_SECONDS": "0",
        "LAKEHOUSE_AWS__ENDPOINT_URL": emr.address,
        "LAKEHOUSE_AWS__REGION": "us-east-1",
        "LAKEHOUSE_AWS__ACCESS_KEY_ID": "test",
        "LAKEHOUSE_AWS__SECRET_ACCESS_KEY": "testtest",  # pragma: allowlist secret
        "LAKEHOUSE_SPARK__TABLES": "public.*",
        **{f"LAKEHOUSE_SPARK__{name.upper()}": value for name, value in spark.items()},
    }
    variables = {"env": environment}
    return run_deployment("merge-on-spark/spark-local", job_variables=variables, timeout=0, as_subflow=False)


def ended(flow_run):
    return asyncio.run(wait_for_flow_run(flow_run.id, timeout=120, poll_interval=1)).state


def test_cancelled_run_cancels_its_job_and_the_next_one_does_the_work(source):
    goes_on = threading.Event()

    def work(job):
        goes_on.wait(120)
        if job["state"] != "CANCELLED":
            work_on_tables(source.settings, job["jobDriver"]["sparkSubmit"]["entryPointArguments"], LocalRunner())

    with emr_serverless(work) as emr:
        first = started(source, emr)
        waiting = Retrying(retry=retry_if_result(lambda job: not job), stop=stop_after_delay(60), wait=wait_fixed(0.1))
        waiting(lambda: emr.jobs.get("job0", {}).get("state") == "RUNNING")
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(first.id, Cancelling())
        assert ended(first).is_cancelled()
        assert emr.jobs["job0"]["state"] == "CANCELLED"
        goes_on.set()
        state = ended(started(source, emr))
    assert state.message == "1 table merged on Spark in 60 s, about $0.15"
    assert source.rows() == [(1, "a", "x")]
