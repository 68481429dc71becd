"""The local stack as a whole: up, down, status."""

import fcntl
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

import psutil

from connectors.errors import ConfigurationError, ServiceUnavailable
from connectors.settings import STACK_FILE, Settings
from deployments.stack.plan import PORTS, all_services, check_settings, external_addresses, plan_services, settings_tree
from deployments.stack.ports import is_free, pick_ports
from deployments.stack.postgres import PostgresService
from deployments.stack.process import is_alive, roots, stop
from deployments.stack.service import Service
from deployments.stack.start import start_together, stop_in_order
from deployments.stack.state import ProcessId, StackState, read_state, write_json, write_state

HOLDER_SECONDS = 60


@dataclass(frozen=True)
class ServiceStatus:
    """How a service is.

    Attributes:
        name: Name of the service.
        state: `external` is one of your own, that settings name.
        address: Where clients connect; None for a stopped one.
        pid: Its first process.
    """

    name: str
    state: Literal["running", "not ready", "stopped", "external"]
    address: str | None = None
    pid: int | None = None


class LocalStack:
    """The services that run on this machine for one state folder.

    Args:
        home: The state folder.
        settings: What the user has set; a service whose address is set there is not started.
    """

    def __init__(self, home: Path, settings: Settings) -> None:
        self.home = home.absolute()
        self.settings = settings

    def up(self, *, on_ready: Callable[[Service, float], None], hold: bool = False, with_aws: bool = False) -> None:
        """Starts what does not run, and writes the addresses where the settings find them.

        Of an incomplete stack, parts of which were killed, those that are well go on.

        Args:
            on_ready: Called with each service and the seconds it took to start.
            hold: Whether the stack is to live as long as this process: the caller then waits and stops it.
            with_aws: Also start S3 and DynamoDB, now and from now on.

        Raises:
            ConfigurationError: Another `up` holds the stack, or settings are wrong.
            ServiceUnavailable: A service did not start.
        """
        check_settings(self.settings)
        with self._alone():
            state = read_state(self.home)
            if with_aws and not state.with_aws:
                state = state.model_copy(update={"with_aws": True})
                write_state(self.home, state)
            holder = _holder(state)
            complete = self._is_complete(state)
            if holder is not None and (hold or not complete):
                raise ConfigurationError(
                    f"`lakehouse up` in process {holder.pid} already runs the stack",
                    hint="Stop it with `lakehouse down`, or use it as it is.",
                )
            if complete:
                services = self._services(state)
                for service in services:
                    on_ready(service, 0)
            else:
                services = self._start(on_ready)
            for service in services:
                if isinstance(service, PostgresService):
                    service.create_database(self.settings.postgres.database)
            write_json(self.home / STACK_FILE, settings_tree(services, database=self.settings.postgres.database))
            if holder is None:
                self._remember(holder=ProcessId.of(psutil.Process()) if hold else None)

    def wait(self) -> NoReturn:
        """Waits for an interrupt.

        Raises:
            ServiceUnavailable: A service ended by itself.
        """
        running = [(service, roots(service.processes())) for service in self._services(read_state(self.home))]
        pause = threading.Event()
        while True:
            pause.wait(1)
            for service, processes in running:
                if not any(is_alive(process) for process in processes):
                    raise ServiceUnavailable(f"{service.name} has ended", hint=f"See {service.log}.")

    def down(self) -> list[str]:
        """Stops everything of this state folder, whoever started it; returns the names of what ran."""
        state = read_state(self.home)
        holder = _holder(state)
        running = [service.name for service in self._all_services(state) if service.processes()]
        if holder is not None and holder.pid != os.getpid():
            stop([holder], grace=HOLDER_SECONDS)
        with self._alone():
            self._clear()
        return running

    def delete_data(self) -> None:
        """Stops everything and deletes the state folder: the database, the topics, and a lake that lies there."""
        self.down()
        for service in self._all_services(StackState()):
            if isinstance(service, PostgresService):
                service.delete_data()
        shutil.rmtree(self.home)

    def status(self) -> list[ServiceStatus]:
        """How every service is now."""
        external = external_addresses(self.settings)
        return [
            ServiceStatus(service.name, "external", external[service.name])
            if service.name in external
            else _status(service)
            for service in self._all_services(read_state(self.home))
        ]

    def logs(self) -> dict[str, Path]:
        """The log file of each service by its name."""
        return {service.name: service.log for service in self._all_services(StackState())}

    def _start(self, on_ready: Callable[[Service, float], None]) -> list[Service]:
        well = self._well(read_state(self.home))
        if not well:
            self._clear()
        # Known from now on, so that `lakehouse down` elsewhere can interrupt the start.
        self._remember(holder=ProcessId.of(psutil.Process()))
        try:
            if not well:
                ports = pick_ports(PORTS, wanted=self._wanted_ports(), previous=read_state(self.home).ports)
                write_state(self.home, read_state(self.home).model_copy(update={"ports": ports}))
            services = self._services(read_state(self.home))
            for service in services:
                if service.name in well:
                    on_ready(service, 0)
            start_together([service for service in services if service.name not in well], on_ready=on_ready)
        except BaseException:
            self._remember(holder=None)
            raise
        return services

    def _is_complete(self, state: StackState) -> bool:
        running = {service.name for service in self._all_services(state) if service.processes()}
        planned = {service.name for service in self._services(state)}
        return running == planned == self._well(state)

    def _well(self, state: StackState) -> set[str]:
        """Names of the services that run as they are to; none, where the others could not be started beside them."""
        if any(port not in (None, state.ports.get(name)) for name, port in self._wanted_ports().items()):
            return set()
        services = self._services(state)
        well = {service.name for service in services if service.processes() and service.is_ready()}
        missing = [service for service in services if service.name not in well and not service.processes()]
        needed = [state.ports.get(name, 0) for name in PORTS if name.partition("_")[0] in {s.name for s in missing}]
        return well if all(port and is_free(port) for port in needed) else set()

    def _wanted_ports(self) -> dict[str, int | None]:
        return {name: getattr(self.settings.stack, f"{name}_port") for name in PORTS}

    def _clear(self) -> None:
        stop_in_order(self._all_services(read_state(self.home)))
        (self.home / STACK_FILE).unlink(missing_ok=True)
        self._remember(holder=None)

    def _remember(self, *, holder: ProcessId | None) -> None:
        write_state(self.home, read_state(self.home).model_copy(update={"holder": holder}))

    def _services(self, state: StackState) -> list[Service]:
        return plan_services(self.home, self.settings, ports=state.ports, with_aws=state.with_aws)

    def _all_services(self, state: StackState) -> list[Service]:
        return all_services(self.home, self.settings, ports=state.ports)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.home.mkdir(parents=True, exist_ok=True)
        # Topics hold the rows of the source, and Kafka Connect's own the password of its database.
        self.home.chmod(0o700)
        with (self.home / "stack.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _holder(state: StackState) -> psutil.Process | None:
    return state.holder.find() if state.holder is not None else None


def _status(service: Service) -> ServiceStatus:
    processes = service.processes()
    if not processes:
        return ServiceStatus(service.name, "stopped")
    state: Literal["running", "not ready"] = "running" if service.is_ready() else "not ready"
    return ServiceStatus(service.name, state, service.address, processes[0].pid)
