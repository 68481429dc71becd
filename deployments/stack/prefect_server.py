"""Prefect's server, on SQLite."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deployments.stack.ports import HOST, answers
from deployments.stack.service import Service


def prefect_environment(folder: Path, *, api_url: str | None) -> dict[str, str | None]:
    """Variables for a Prefect program of the stack: apart from the user's own profile, and silent to the outside.

    Args:
        folder: Prefect's home.
        api_url: The server; None for the server itself.
    """
    return {
        "PREFECT_HOME": str(folder),
        "PREFECT_API_URL": api_url,
        "PREFECT_PROFILE": None,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "NO_COLOR": "1",
        # Each flow run is a new Python that imports Prefect: twice as fast when compiled once.
        "PYTHONDONTWRITEBYTECODE": None,
    }


class PrefectServerService(Service):
    """Prefect's server with its user interface.

    Args:
        folder: Where its database and log lie.
        port: Port to listen on.
    """

    name = "prefect"
    stop_seconds = 20

    def __init__(self, folder: Path, *, port: int) -> None:
        super().__init__(folder)
        self.port = port

    @property
    def address(self) -> str:
        """The user interface."""
        return f"http://{HOST}:{self.port}"

    @property
    def api_url(self) -> str:
        """What `PREFECT_API_URL` is set to."""
        return f"{self.address}/api"

    def command(self) -> Sequence[str | Path]:
        """The server in the foreground."""
        return [sys.executable, "-m", "prefect", "server", "start"]

    def environment(self) -> Mapping[str, str | None]:
        """The port comes from here, not from the command line: the user interface asks the settings."""
        return {
            **prefect_environment(self.folder, api_url=None),
            "PREFECT_SERVER_API_HOST": HOST,
            "PREFECT_SERVER_API_PORT": str(self.port),
            # In memory, which is Prefect's default, a restart forgets who holds a concurrency limit: it stays held.
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        }

    def is_ready(self) -> bool:
        """Whether the server and its database answer."""
        return answers(self.port, "/api/ready")
