"""Runs show what the library logs."""

import logging

from prefect import runtime, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from flows.served import flow

_library = logging.getLogger("connectors.cdc")


@task
def step():
    _library.info("in a task of %d", 1)


@flow(name="work", flow_run_name="work")
def work():
    _library.info("in a flow")
    step()
    return runtime.flow_run.id


def of_library(run):
    with get_client(sync_client=True) as client:
        logs = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run])))
    return sorted((log.message, log.level) for log in logs if log.name == _library.name)


def test_what_the_library_logs_is_kept_and_shown_once(settings, caplog):
    run = work()
    _library.info("outside of a run")
    said = ["in a flow", "in a task of 1", "outside of a run"]
    assert [message for message in caplog.messages if message in said] == said
    few = retry_if_result(lambda kept: len(kept) < 2)
    kept = Retrying(retry=few, stop=stop_after_delay(30), wait=wait_fixed(0.1))(of_library, run)
    assert kept == [("in a flow", logging.INFO), ("in a task of 1", logging.INFO)]
