"""Prefect's worker, which runs each flow run as a process on this machine."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx

from connectors.errors import ServiceUnavailable
from deployments.stack.logs import tail
from deployments.stack.prefect_server import PrefectServerService, prefect_environment
from deployments.stack.service import Service
from deployments.stack.work_pool import POOL, crash_lost_runs, ensure_work_pool
from deployments.targets import PROJECT

WORKER = "lakehouse"


class WorkerService(Service):
    """A process worker on the work pool `local`, and the project's deployments.

    Args:
        folder: Where its log lies.
        home: The state folder of the flows it runs.
        api_url: The Prefect server.
        server: The local server to wait for, when there is one.
    """

    name = "worker"

    def __init__(self, folder: Path, *, home: Path, api_url: str, server: PrefectServerService | None = None) -> None:
        super().__init__(folder)
        self.home = home
        self.api_url = api_url
        self.server = server
        self._registration: subprocess.Popen[bytes] | None = None
        self._began: datetime | None = None

    @property
    def address(self) -> str:
        """The work pool."""
        return f"work pool {POOL}"

    @property
    def working_folder(self) -> Path:
        """The project: entrypoints of flows are relative to it."""
        return PROJECT

    def command(self) -> Sequence[str | Path]:
        """The worker in the foreground."""
        return [*self._prefect("worker", "start"), "--pool", POOL, "--type", "process", "--name", WORKER]

    def environment(self) -> Mapping[str, str | None]:
        """What the flow runs inherit."""
        return {
            **prefect_environment(self.home / "prefect", api_url=self.api_url),
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "LAKEHOUSE_HOME": str(self.home),
            "LAKEHOUSE_PREFECT__API_URL": self.api_url,
            # No heartbeat: its thread holds up the end of every flow run and sub-flow for a second.
            "PREFECT_FLOWS": '{"heartbeat_frequency": null}',
            # Prefect keeps its workspaces in a folder of fixed name there, which may be another user's.
            "TMPDIR": str(self._temporary),
        }

    def prepare(self) -> None:
        """Makes the work pool and begins to register the deployments, which takes as long as the worker's start."""
        self._temporary.mkdir(parents=True, exist_ok=True)
        if self.server is not None:
            self.server.wait_ready()
            # No worker but this one serves the pool of a local server, so nothing is running now.
            crash_lost_runs(self.api_url)
        ensure_work_pool(self.api_url)
        self._began = datetime.now(UTC)
        deploy = [sys.executable, "-m", "deployments.cli", "deploy", "--pool", POOL]
        self._registration = self.launch(deploy, log=self._registration_log)

    def is_ready(self) -> bool:
        """Whether the deployments are registered, and the worker has reported to the server since it was started.

        Raises:
            ServiceUnavailable: A deployment was refused.
        """
        if self._registration is not None:
            code = self._registration.poll()
            if code:
                end = "\n".join(f"  {line}" for line in tail(self._registration_log, lines=15))
                raise ServiceUnavailable(
                    f"the flows could not be deployed:\n{end}", hint=f"The whole log is {self._registration_log}."
                )
            if code is None:
                return False
        began = self._began or self._oldest()
        try:
            found = httpx.post(f"{self.api_url}/work_pools/{POOL}/workers/filter", json={}, timeout=10)
        except httpx.HTTPError:
            return False
        return found.is_success and any(
            worker["name"] == WORKER and datetime.fromisoformat(worker["last_heartbeat_time"]) >= began
            for worker in found.json()
        )

    def stop(self) -> None:
        """Stops the worker, its flow runs and a registration that is under way."""
        super().stop()
        if self._registration is not None:
            self._registration.wait()
            self._registration = None

    def _oldest(self) -> datetime:
        created = [process.create_time() for process in self.processes()]
        return datetime.fromtimestamp(min(created), UTC) if created else datetime.now(UTC)

    @property
    def _temporary(self) -> Path:
        return self.home / "tmp"

    @property
    def _registration_log(self) -> Path:
        return self.folder / "deployments.log"

    def _prefect(self, *arguments: str) -> list[str | Path]:
        return [sys.executable, "-m", "prefect", *arguments]
