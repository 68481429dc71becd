"""Services that die of SIGKILL, and come back."""

from contextlib import suppress

import psutil


def kill(service):
    """Kills a service, with everything that it started."""
    for process in service.processes():
        with suppress(psutil.NoSuchProcess):  # gone with its parent
            process.kill()


def restart(service):
    """Kills a service, starts it again, and waits until it serves."""
    kill(service)
    service.start()
    service.wait_ready()
