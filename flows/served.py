"""Declares flows: called from Python, they find the server of the settings; their runs show what the library logs."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from prefect import Flow
from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging.handlers import APILogHandler
from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS, temporary_settings

from connectors.settings import load_settings

P = ParamSpec("P")
R = TypeVar("R")

# Of a server that Prefect starts for the call alone: on a busy machine it takes longer than Prefect's 20 s.
_START_SECONDS = 180


@contextmanager
def server_of_settings() -> Iterator[None]:
    """Uses the Prefect server of the settings, or of the local stack, unless Prefect has one configured."""
    if PREFECT_API_URL.value() is not None:
        yield
        return
    server = load_settings().prefect.api_url
    with temporary_settings(
        {PREFECT_API_URL: server, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: _START_SECONDS}
    ):
        yield


class _RunLog(APILogHandler):
    """Gives what is logged while a run goes on to its server; the console has it already."""

    def emit(self, record: logging.LogRecord) -> None:
        if FlowRunContext.get() or TaskRunContext.get():
            super().emit(record)


def _show_in_runs(name: str) -> None:
    logger = logging.getLogger(name)
    logger.setLevel(logging.INFO)
    logger.addHandler(_RunLog())


_show_in_runs("connectors")


class ServedFlow(Flow[P, R]):
    """A flow that, called from a script or a notebook, finds its server by itself."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the flow; see `Flow`."""
        with server_of_settings():
            return super().__call__(*args, **kwargs)


def flow(*, name: str, flow_run_name: str | Callable[[], str]) -> Callable[[Callable[P, R]], Flow[P, R]]:
    """Makes a flow of a function.

    Args:
        name: Name of the flow.
        flow_run_name: Name of its runs, or what makes it.
    """

    def decorate(function: Callable[P, R]) -> Flow[P, R]:
        return ServedFlow(function, name=name, flow_run_name=flow_run_name)

    return decorate
