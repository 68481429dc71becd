"""One flow at a time per source.

Drains, rebuilds and resyncs of one source are correct side by side, only slower: each loses races for commits to the
others. So the lock is best effort. A run waits for it, but not for ever; if Prefect can't grant it, because its holder
was killed or the server is away, the run goes on without it.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.client.schemas.objects import ConcurrencyLeaseHolder
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound, PrefectException
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

WAIT_SECONDS = 120
# The shortest that Prefect takes. A holder renews it; from a killed one the server takes the lock back before those
# that wait for it give up.
_LEASE_SECONDS = 60


def limit_name(source: str) -> str:
    """Name of the source's concurrency limit, as the Prefect UI shows it."""
    return f"lakehouse-{source}"


@contextmanager
def source_lock(source: str, *, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Waits until no other flow works on a source; after `wait_seconds`, goes on beside it."""
    name = limit_name(source)
    with ExitStack() as lock:
        try:
            _ensure_limit(name)
            holder = ConcurrencyLeaseHolder(type="flow_run", id=flow_run.id)
            lock.enter_context(
                concurrency(name, timeout_seconds=wait_seconds, lease_duration=_LEASE_SECONDS, holder=holder)
            )
        except (TimeoutError, ConcurrencySlotAcquisitionError, PrefectException, httpx.HTTPError) as error:
            get_run_logger().warning("running without the lock %s: %s", name, error)
        yield


def _ensure_limit(name: str) -> None:
    """Creates the limit if there is none; one that was changed or switched off by hand stays so."""
    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name(name)
        except ObjectNotFound:
            try:
                client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=1))
            except ObjectAlreadyExists:  # another first run was faster
                return
