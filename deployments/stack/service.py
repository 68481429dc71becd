"""The base of all services of the stack: prepare, start, wait until ready, stop."""

import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGTERM
from typing import ClassVar

import psutil

from connectors.errors import ServiceUnavailable
from deployments.stack.logs import tail
from deployments.stack.process import Launch, find_marked, launch, roots, stop

POLL_SECONDS = 0.1


class Service(ABC):
    """A service that runs as a process on this machine and keeps everything it has in one folder.

    Args:
        folder: Where data, configuration and log lie; made when missing.
    """

    name: ClassVar[str]
    stop_signal: ClassVar[int] = SIGTERM
    stop_seconds: ClassVar[float] = 15
    ready_seconds: ClassVar[float] = 180

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._child: subprocess.Popen[bytes] | None = None
        self._aborted = threading.Event()
        self._launching = threading.Lock()

    @property
    @abstractmethod
    def address(self) -> str:
        """Where clients connect."""

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """The program and its arguments."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether a client is served now."""

    def prepare(self) -> None:  # noqa: B027 - nothing to do is a fair answer
        """Makes what the program needs to find; called before every start."""

    def environment(self) -> Mapping[str, str | None]:
        """Variables of the program, above those of this process; None removes one."""
        return {}

    @property
    def working_folder(self) -> Path:
        """Where the program runs."""
        return self.folder

    @property
    def user(self) -> str | None:
        """System user of the program; None: the same as this process."""
        return None

    @property
    def log(self) -> Path:
        """File that holds what the program printed."""
        return self.folder / f"{self.name}.log"

    def processes(self) -> list[psutil.Process]:
        """The living processes of the service, whoever started them."""
        return find_marked(self.folder)

    def start(self) -> None:
        """Clears away what is left of an earlier run, then starts the program and returns at once.

        Raises:
            ServiceUnavailable: `abort` was called meanwhile.
        """
        self.stop()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        with self._launching:
            if self._aborted.is_set():
                raise self._failure("was stopped before it started")
            self._child = self.launch(self.command(), log=self.log)

    def launch(self, command: Sequence[str | Path], *, log: Path) -> subprocess.Popen[bytes]:
        """Starts a process that belongs to the service."""
        return launch(
            Launch(
                command=command,
                folder=self.folder,
                log=log,
                cwd=self.working_folder,
                env=self.environment(),
                user=self.user,
            )
        )

    def wait_ready(self) -> None:
        """Waits until the service serves.

        Raises:
            ServiceUnavailable: It ended, or was not ready in time; the message ends with the end of its log.
        """
        deadline = time.monotonic() + self.ready_seconds
        while not self.is_ready():
            child = self._child
            if child is not None and child.poll() is not None:
                raise self._failure(f"ended with code {child.returncode} while it started")
            if time.monotonic() > deadline:
                raise self._failure(f"was not ready within {self.ready_seconds:.0f} seconds")
            if self._aborted.wait(POLL_SECONDS):
                raise self._failure("was stopped while it started")

    def stop(self) -> None:
        """Stops the service, if it runs, with everything it started."""
        stop(roots(self.processes()), stop_signal=self.stop_signal, grace=self.stop_seconds)
        stop(self.processes(), grace=self.stop_seconds)
        if self._child is not None:
            self._child.wait()
            self._child = None

    def abort(self) -> None:
        """Stops the service for good, also when another thread is about to start it."""
        with self._launching:
            self._aborted.set()
        self.stop()

    def _failure(self, what: str) -> ServiceUnavailable:
        end = "\n".join(f"  {line}" for line in tail(self.log, lines=15))
        return ServiceUnavailable(
            f"{self.name} {what}; its log ends with\n{end}", hint=f"The whole log is {self.log}.", service=self.name
        )
