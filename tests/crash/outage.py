"""Services that die of SIGKILL, and come back."""

from contextlib import suppress

import psutil


def kill(service):
    """Kills a service, with everything that it started."""
    kill_processes(service.processes())


def kill_processes(processes):
    """Kills processes, of which some may end by themselves meanwhile, or with their parent."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def restart(service):
    """Kills a service, starts it again, and waits until it serves."""
    kill(service)
    service.start()
    service.wait_ready()
