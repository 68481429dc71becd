"""Starting and stopping several services at once."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from deployments.stack.service import Service


def start_together(services: Sequence[Service], *, on_ready: Callable[[Service, float], None] | None = None) -> None:
    """Starts services in parallel and returns when all are ready; a failure stops them all and is raised.

    Args:
        services: What to start. One may need another: it waits for it by itself.
        on_ready: Called with each service and the seconds it took, as soon as it is ready.
    """
    began = time.monotonic()

    def start(service: Service) -> Service:
        service.start()
        service.wait_ready()
        return service

    with ThreadPoolExecutor(max_workers=max(1, len(services))) as pool:
        try:
            for done in as_completed([pool.submit(start, service) for service in services]):
                service = done.result()
                if on_ready is not None:
                    on_ready(service, time.monotonic() - began)
        except BaseException:
            # Before the pool waits for its threads: they end when their services do.
            for service in reversed(services):
                service.abort()
            raise


def stop_in_order(services: Sequence[Service]) -> None:
    """Stops services, the last first, so that none loses what it depends on while it shuts down."""
    for service in reversed(services):
        service.stop()
