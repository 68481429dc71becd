"""The work pool of the local stack."""

import shlex
import sys
from typing import Any

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from connectors.errors import ServiceUnavailable

POOL = "local"


# A server on SQLite answers 503 while its database is locked.
@retry(retry=retry_if_exception_type(ServiceUnavailable), stop=stop_after_delay(60), wait=wait_fixed(1), reraise=True)
def ensure_work_pool(api_url: str) -> None:
    """Makes the work pool, or gives the one there is the present template.

    Raises:
        ServiceUnavailable: The server does not do it.
    """
    pool = {"base_job_template": _job_template()}
    try:
        answer = httpx.post(f"{api_url}/work_pools/", json={"name": POOL, "type": "process", **pool}, timeout=30)
        if answer.status_code == httpx.codes.CONFLICT:
            answer = httpx.patch(f"{api_url}/work_pools/{POOL}", json=pool, timeout=30)
    except httpx.HTTPError as error:
        raise ServiceUnavailable(f"Prefect at {api_url} does not answer: {error}") from error
    if not answer.is_success:
        raise ServiceUnavailable(f"Prefect did not make the work pool {POOL}: {answer.text}")


def _job_template() -> dict[str, Any]:
    """How the pool runs a flow run: as one Python process.

    Where the pool names no command, the worker starts another process before it, which takes seconds to find out
    what to run: a need of pools that fetch the code first.
    """
    command = shlex.join([sys.executable, "-m", "prefect.engine"])
    properties = {"env": {"type": "object", "title": "Environment variables"}}
    return {
        "job_configuration": {"command": command, "env": "{{ env }}"},
        "variables": {"type": "object", "properties": properties},
    }
