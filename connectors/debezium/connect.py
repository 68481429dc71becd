"""Kafka Connect over its REST interface."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote

import httpx
from tenacity import (
    RetryError,
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_delay,
    wait_fixed,
    wait_random_exponential,
)

from connectors.debezium.causes import cause_of
from connectors.debezium.config import CONNECTOR_CLASS
from connectors.errors import CommitConflict, ConfigurationError, ServiceUnavailable, SourceNotReady

REQUEST_TIMEOUT_SECONDS = 30
PATIENCE_SECONDS = 30
_PASSWORD = "database.password"  # noqa: S105  # pragma: allowlist secret


@dataclass(frozen=True)
class ConnectorStatus:
    """What Connect says of a connector.

    Attributes:
        state: Of the connector: `RUNNING`, `STOPPED`, `FAILED`, `UNASSIGNED`, `RESTARTING`, `PAUSED`.
        tasks: States of its tasks.
        failure: What went wrong, in one line; None if nothing did.
    """

    state: str
    tasks: tuple[str, ...]
    failure: str | None

    @property
    def running(self) -> bool:
        """The connector and its task run."""
        return self.state == "RUNNING" and bool(self.tasks) and all(task == "RUNNING" for task in self.tasks)


_trusted_certificates = cache(httpx.create_ssl_context)
"""Reading them takes longer than any question: once is enough."""


class ConnectClient:
    """Speaks to one Kafka Connect cluster; answers that pass (a rebalance, a restart) are waited out.

    Args:
        url: Address of the REST interface.
        patience: Seconds for which a service that does not answer is asked again.
    """

    def __init__(self, url: str | None, *, patience: float = PATIENCE_SECONDS) -> None:
        if url is None:
            raise ConfigurationError(
                "no Kafka Connect is configured",
                hint="start the local one with `lakehouse up`, or set LAKEHOUSE_CONNECT__URL",
            )
        self._url = url.rstrip("/")
        self._patience = patience
        self._http = httpx.Client(base_url=self._url, timeout=REQUEST_TIMEOUT_SECONDS, verify=_trusted_certificates())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def debezium(self) -> str:
        """Version of Debezium's connector for PostgreSQL, as in `3.7.1.Final`; empty if there is none."""
        plugins = self._send("GET", "/connector-plugins") or []
        return next((plugin["version"] or "" for plugin in plugins if plugin["class"] == CONNECTOR_CLASS), "")

    def names(self) -> list[str]:
        """Names of all connectors, sorted."""
        return sorted(self._send("GET", "/connectors?expand=info") or {})

    def config(self, name: str) -> dict[str, str] | None:
        """The connector's configuration, with its password; None if there is no such connector."""
        answer = self._call("GET", name, "/config")
        return None if answer is None else {str(key): str(value) for key, value in answer.items()}

    def create_stopped(self, name: str, config: dict[str, str]) -> None:
        """Creates a connector that does not start yet."""
        body = {"name": name, "config": config, "initial_state": "STOPPED"}
        self._send("POST", "/connectors", body=body, secret=config.get(_PASSWORD))

    def configure(self, name: str, config: dict[str, str]) -> None:
        """Creates a connector or replaces its configuration."""
        path = f"/connectors/{quote(name, safe='')}/config"
        self._send("PUT", path, body=config, secret=config.get(_PASSWORD))

    def status(self, name: str) -> ConnectorStatus | None:
        """The connector's state; None if there is no such connector."""
        answer = self._call("GET", name, "/status")
        # The last word of a connector that was deleted may come after it.
        if answer is None or (answer["connector"]["state"] == "UNASSIGNED" and self.config(name) is None):
            return None
        parts = [answer["connector"], *answer["tasks"]]
        failed = [part for part in parts if part["state"] == "FAILED"]
        return ConnectorStatus(
            state=answer["connector"]["state"],
            tasks=tuple(task["state"] for task in answer["tasks"]),
            failure=first_cause(failed[0].get("trace", "")) if failed else None,
        )

    def offset(self, name: str) -> dict[str, Any] | None:
        """Where the connector stands in its source; None before its first event."""
        answer = self._call("GET", name, "/offsets") or {"offsets": []}
        return answer["offsets"][0]["offset"] if answer["offsets"] else None

    def resume(self, name: str) -> None:
        """Starts a stopped connector."""
        self._call("PUT", name, "/resume")

    def stop(self, name: str) -> None:
        """Stops the connector, if there is one, and waits until it has no task left."""
        self._call("PUT", name, "/stop")
        self._wait_as_long(
            name,
            lambda status: status is not None and (status.state != "STOPPED" or bool(status.tasks)),
            failure="does not stop",
        )

    def restart(self, name: str) -> None:
        """Stops the connector and starts it again, so that no failure of before is left in its status."""
        self.stop(name)
        self.resume(name)

    def reset_offset(self, name: str) -> None:
        """Forgets where a stopped connector stood, so that it begins with a snapshot."""
        self._call("DELETE", name, "/offsets")

    def delete(self, name: str) -> bool:
        """Deletes a connector; returns whether there was one. Its slot and its offset stay."""
        existed = self._call("DELETE", name, "") is not None
        self._wait_as_long(name, lambda status: status is not None, failure="is not let go of")
        return existed

    def remove(self, name: str) -> None:
        """Stops a connector, forgets where it stood, and deletes it, if there is one."""
        self.stop(name)
        self.reset_offset(name)
        self.delete(name)

    def wait_for_snapshot(self, name: str, *, timeout: float) -> None:
        """Waits until the initial snapshot is in the stream.

        Raises:
            CommitConflict: There is no such connector any more.
            SourceNotReady: The connector failed.
            ServiceUnavailable: It did not finish in time.
        """

        def done(status: ConnectorStatus) -> bool:
            return status.running and snapshot_done(self.offset(name))

        def require_there() -> None:
            if self.config(name) is None:
                raise CommitConflict(f"connector {name} was deleted while it read")

        self.wait_until(name, done, aim="done with its snapshot", timeout=timeout, guard=require_there)

    def wait_until(
        self,
        name: str,
        done: Callable[[ConnectorStatus], bool],
        *,
        aim: str,
        timeout: float,
        guard: Callable[[], None] = lambda: None,
    ) -> ConnectorStatus:
        """Waits until a connector is as wanted.

        Args:
            name: The connector.
            done: Whether its status is the wanted one.
            aim: What is wanted, for the message.
            timeout: Seconds to wait.
            guard: Called each time before the connector is looked at; what it raises ends the wait, too.

        Raises:
            SourceNotReady: The connector failed.
            ServiceUnavailable: It did not get there in time.
        """

        def reached() -> ConnectorStatus | None:
            guard()
            status = self.status(name)
            if status is not None and status.failure is not None:
                cause = cause_of(status.failure)
                raise SourceNotReady(f"connector {name} failed: {cause.what} ({cause.said})", hint=cause.fix)
            return status if status is not None and done(status) else None

        retrying = Retrying(
            retry=retry_if_result(lambda status: status is None), stop=stop_after_delay(timeout), wait=wait_fixed(0.2)
        )
        try:
            return cast(ConnectorStatus, retrying(reached))
        except RetryError:
            raise ServiceUnavailable(
                f"connector {name} is not {aim} after {timeout:g} seconds",
                hint="look at `lakehouse source status` and at the log of Kafka Connect, or wait longer",
            ) from None

    def _wait_as_long(self, name: str, busy: Callable[[ConnectorStatus | None], bool], *, failure: str) -> None:
        """Waits as long as a connector's status (None: there is none) is of a kind that passes."""
        passing = Retrying(retry=retry_if_result(busy), stop=stop_after_delay(self._patience), wait=wait_fixed(0.1))
        try:
            passing(self.status, name)
        except RetryError:
            raise ServiceUnavailable(
                f"connector {name} {failure} within {self._patience:g} s", hint="look at the log of Kafka Connect"
            ) from None

    def _call(self, method: str, name: str, path: str) -> dict[str, Any] | None:
        return cast(dict[str, Any] | None, self._send(method, f"/connectors/{quote(name, safe='')}{path}"))

    def _send(self, method: str, path: str, *, body: dict[str, Any] | None = None, secret: str | None = None) -> Any:
        """Sends a request, again where the answer may pass; None if there is no such connector."""
        retrying = Retrying(
            retry=retry_if_exception_type(ServiceUnavailable),
            stop=stop_after_delay(self._patience),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            reraise=True,
        )
        return retrying(self._send_once, method, path, body, secret)

    def _send_once(self, method: str, path: str, body: dict[str, Any] | None, secret: str | None) -> Any:
        try:
            response = self._http.request(method, path, json=body)
        except httpx.TransportError as error:
            raise ServiceUnavailable(
                f"Kafka Connect at {self._url} did not answer: {error}",
                hint="check that it runs and that LAKEHOUSE_CONNECT__URL is right",
            ) from error
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        if response.is_success:
            return response.json() if response.content else {}
        said = _message(response)
        said = said if secret is None else said.replace(secret, "***")
        if response.status_code == httpx.codes.CONFLICT or response.is_server_error:
            raise ServiceUnavailable(f"Kafka Connect can't answer now ({response.status_code}): {said}")
        raise ConfigurationError(f"Kafka Connect refused {method} {path} ({response.status_code}): {said}")


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.text[:500]


def first_cause(trace: str) -> str | None:
    """What a Java stack trace says went wrong: its first line, and the innermost cause if there is one."""
    lines = [line.strip() for line in trace.splitlines() if line.strip()]
    if not lines:
        return None
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    return f"{lines[0]} (caused by: {causes[-1]})" if causes and causes[-1] != lines[0] else lines[0]


def snapshot_done(offset: dict[str, Any] | None) -> bool:
    """Whether a connector's offset lies behind its initial snapshot."""
    return offset is not None and ("snapshot" not in offset or bool(offset.get("snapshot_completed")))
