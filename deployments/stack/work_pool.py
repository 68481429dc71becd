"""The work pool of the local stack."""

import shlex
import sys
from collections.abc import Mapping
from typing import Any

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from connectors.errors import ServiceUnavailable
from deployments.targets import LOCAL

POOL = LOCAL.name
ALIVE = ("PENDING", "RUNNING", "CANCELLING")


def ensure_work_pool(api_url: str) -> None:
    """Makes the work pool, or gives the one there is the present template.

    Raises:
        ServiceUnavailable: The server does not do it.
    """
    # A run is one process of the Python that runs this.
    command = shlex.join([sys.executable, "-m", "prefect.engine"])
    pool = {"base_job_template": LOCAL.job_template({"command": command})}
    if _ask("POST", f"{api_url}/work_pools/", {"name": POOL, "type": LOCAL.pool_type, **pool}) is None:
        _ask("PATCH", f"{api_url}/work_pools/{POOL}", pool)


def crash_lost_runs(api_url: str) -> None:
    """Marks runs that died with their worker as crashed: the server would count them as running, and block others.

    Raises:
        ServiceUnavailable: The server does not do it.
    """
    of_pool = {"work_pools": {"name": {"any_": [POOL]}}, "flow_runs": {"state": {"type": {"any_": ALIVE}}}}
    for run in _ask("POST", f"{api_url}/flow_runs/filter", of_pool) or []:
        crashed = {"type": "CRASHED", "message": "The worker was stopped."}
        _ask("POST", f"{api_url}/flow_runs/{run['id']}/set_state", {"state": crashed, "force": True})


# A server on SQLite answers 503 while its database is locked.
@retry(retry=retry_if_exception_type(ServiceUnavailable), stop=stop_after_delay(60), wait=wait_fixed(1), reraise=True)
def _ask(method: str, url: str, content: Mapping[str, Any]) -> Any:
    """The server's answer; None where what is to be made is there already, and where the answer is empty."""
    try:
        answer = httpx.request(method, url, json=content, timeout=30)
    except httpx.HTTPError as error:
        raise ServiceUnavailable(f"Prefect does not answer at {url}: {error}") from error
    if answer.status_code == httpx.codes.CONFLICT or not answer.content:
        return None
    if not answer.is_success:
        raise ServiceUnavailable(f"Prefect refuses {method} {url}: {answer.text}")
    return answer.json()
