"""Processes of the stack: start, recognise, stop.

Every process is started with an environment variable that names the folder of its service, and children inherit it.
So whatever is left of a service, also after `kill -9` of everything else, is recognised by asking the living
processes: there is no record of process ids that could be stale, or name a stranger that got a recycled id.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from connectors.errors import ServiceUnavailable

MARK = "STACK_SERVICE_FOLDER"
LOG_BYTES = 32 * 2**20
"""Size from which a log is put aside at the next start."""


@dataclass(frozen=True)
class Launch:
    """How to start a process.

    Attributes:
        command: Program and arguments.
        folder: Folder of the service, which is also the mark of its processes.
        log: File that gets what the process prints.
        cwd: Working directory.
        env: Environment variables, above those of this process; None removes one.
        user: System user to run as; None: the same as this process.
    """

    command: Sequence[str | Path]
    folder: Path
    log: Path
    cwd: Path
    env: Mapping[str, str | None]
    user: str | None = None


def launch(how: Launch) -> subprocess.Popen[bytes]:
    """Starts a process in a session of its own, so that Ctrl-C in a terminal reaches only the command."""
    how.log.parent.mkdir(parents=True, exist_ok=True)
    if how.log.exists() and how.log.stat().st_size > LOG_BYTES:
        how.log.replace(how.log.with_suffix(".old"))
    wanted = {**os.environ, **how.env, MARK: str(how.folder)}
    with how.log.open("ab") as log:
        return subprocess.Popen(
            [str(part) for part in how.command],
            cwd=how.cwd,
            env={name: value for name, value in wanted.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=how.user,
            group=group_of(how.user),
            extra_groups=None if how.user is None else [],
        )


def group_of(user: str | None) -> int | None:
    """The group a program runs with when it runs as a user."""
    if user is None:
        return None
    import pwd  # noqa: PLC0415 - there is no such module on Windows, where nobody is root

    return pwd.getpwnam(user).pw_gid


def find_marked(folder: Path) -> list[psutil.Process]:
    """The living processes of the service in a folder, oldest first."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(folder) and is_alive(process):
                found.append(process)
        except psutil.Error:  # gone in the meantime, or another user's
            continue
    return sorted(found, key=lambda process: process.create_time())


def is_alive(process: psutil.Process) -> bool:
    """Whether a process still runs; one that has ended and waits for its parent does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def roots(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Those that none of the others has started."""
    pids = {process.pid for process in processes}
    return [process for process in processes if _parent(process) not in pids]


def stop(processes: Sequence[psutil.Process], *, stop_signal: int = signal.SIGTERM, grace: float = 15) -> None:
    """Asks processes to stop, kills those that don't within the grace period, and verifies that all are gone.

    Raises:
        ServiceUnavailable: A process survived.
    """
    _send(processes, stop_signal)
    alive = _wait_gone(processes, seconds=grace)
    _send(alive, signal.SIGKILL)
    alive = _wait_gone(alive, seconds=10)
    if alive:
        raise ServiceUnavailable(
            f"processes {', '.join(str(process.pid) for process in alive)} do not stop",
            hint="They may wait for a disk; try again.",
        )


def _wait_gone(processes: Sequence[psutil.Process], *, seconds: float) -> list[psutil.Process]:
    """Waits until processes have ended, whether or not their parent has taken notice; returns those that have not."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while alive := [process for process in processes if is_alive(process)]:
        if time.monotonic() > deadline:
            break
        pause.wait(0.05)
    return alive


def _send(processes: Sequence[psutil.Process], number: int) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def _parent(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return None
