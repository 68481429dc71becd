"""Runs show what the library logs."""

import logging

from prefect import Flow
from prefect.client.schemas import FlowRun
from prefect.context import FlowRunContext
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

import flows.served  # noqa: F401  (it is what shows them)

_library = logging.getLogger("connectors.cdc")


class Console(logging.Handler):
    """What the root logger has to show records with."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def emit(self, record):
        self.shown.append((record.name, record.getMessage()))


def test_what_the_library_logs_is_shown_once():
    console, run = Console(), FlowRun.model_construct(name="r")
    in_run = FlowRunContext.model_construct(flow=Flow(lambda: None, name="f"), flow_run=run)
    logging.getLogger().addHandler(console)
    try:
        _library.info("outside of a run")
        with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}), in_run:
            _library.info("in a run of %d", 1)
    finally:
        logging.getLogger().removeHandler(console)
    assert console.shown == [("connectors.cdc", "outside of a run"), ("prefect.flow_runs", "in a run of 1")]
