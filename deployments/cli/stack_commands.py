"""Commands of the local stack: up, down, status, logs."""

import dataclasses
import json
import signal
from enum import StrEnum
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.table import Table

from connectors.errors import ConfigurationError
from connectors.settings import load_own_settings, load_settings
from deployments.cli.console import data, progress, talk
from deployments.stack import jars
from deployments.stack.logs import follow, tail
from deployments.stack.service import Service
from deployments.stack.stack import LocalStack

PANEL = "Local stack"


class Extra(StrEnum):
    """What else `lakehouse up` can start."""

    AWS = "aws"


COLOURS = {"running": "green", "not ready": "yellow", "stopped": "red", "external": "blue"}


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (up, down, status, logs):
        app.command(rich_help_panel=PANEL)(command)


def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when ready; the stack keeps running.")] = False,
    extras: Annotated[
        list[Extra] | None, typer.Option("--with", help="Also start `aws`: S3 and DynamoDB, for batch loads.")
    ] = None,
) -> None:
    """Start PostgreSQL, Kafka, Kafka Connect with Debezium, and Prefect with a worker.

    All listen on 127.0.0.1 only. Ctrl-C stops them; data stay for the next time.
    A service whose address you have set, such as LAKEHOUSE_POSTGRES__HOST, is not started: yours is used.

    Example: lakehouse up --detach
    """
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    stack = _stack()
    try:
        start_stack(stack, hold=not detach, with_aws=bool(extras))
    except KeyboardInterrupt:
        talk.print("Interrupted; everything that had started is stopped.")
        raise typer.Exit(130) from None
    talk.print("To run the flows on schedule: lakehouse deploy --pool local --schedules on", soft_wrap=True)
    if detach:
        talk.print("Running in the background. To stop: lakehouse down")
        return
    talk.print("Ctrl-C stops the stack.")
    try:
        stack.wait()
    except KeyboardInterrupt:
        talk.print("Stopping.")
    finally:
        stack.down()


def down(
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Also delete the database, the topics and the lake in .lakehouse.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
) -> None:
    """Stop the local stack, also the remains of a killed one. Data stays.

    Example: lakehouse down
    """
    stack = _stack()
    if delete_data and (yes or typer.confirm(f"Delete {stack.home} with everything in it?", abort=True, err=True)):
        stack.delete_data()
        talk.print(f"Stopped, and deleted {stack.home}.")
        return
    stopped = stack.down()
    talk.print(f"Stopped {', '.join(stopped)}." if stopped else "Nothing was running.")


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show which services run, where, and as which process.

    Example: lakehouse status --json
    """
    found = _stack().status()
    if as_json:
        data.print_json(json.dumps([dataclasses.asdict(service) for service in found]))
        return
    table = Table("service", "state", "address", "process", box=None, pad_edge=False)
    for service in found:
        pid = "" if service.pid is None else str(service.pid)
        table.add_row(service.name, f"[{COLOURS[service.state]}]{service.state}", service.address or "", pid)
    data.print(table)


def logs(
    service: Annotated[str | None, typer.Argument(help="Name of a service; by default all.")] = None,
    follow_on: Annotated[bool, typer.Option("--follow", "-f", help="Follow the logs.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Lines to show of each log.")] = 20,
) -> None:
    """Show logs of services.

    Example: lakehouse logs connect --follow
    """
    files = _stack().logs()
    if service is not None and service not in files:
        raise ConfigurationError(f"there is no service {service!r}", hint=f"There are {', '.join(files)}.")
    chosen = files if service is None else {service: files[service]}
    for name, file in chosen.items():
        for line in tail(file, lines=lines):
            _say_line(name if service is None else None, line)
    if not follow_on:
        return
    try:
        for name, line in follow(chosen):
            _say_line(name if service is None else None, line)
    except KeyboardInterrupt:
        raise typer.Exit from None


def start_stack(stack: LocalStack, *, hold: bool = False, with_aws: bool = False) -> None:
    """Starts the stack and prints each service as it gets ready."""
    own = stack.settings
    if (own.kafka.bootstrap_servers is None or own.connect.url is None) and not jars.are_cached():
        with progress("Downloading Kafka and Debezium, this once (60 MB)"):
            jars.class_path()
    with progress("Starting the local stack"):
        stack.up(on_ready=_say_ready, hold=hold, with_aws=with_aws)
    api_url = load_settings().prefect.api_url
    talk.print(f"\nFor Prefect's own commands: export PREFECT_API_URL={api_url}")


def _stack() -> LocalStack:
    settings = load_own_settings()
    return LocalStack(settings.home, settings)


def _say_ready(service: Service, seconds: float) -> None:
    took = f"in {seconds:4.1f} s" if seconds else "already"
    talk.print(f"[green]✓[/] {service.name:<9} ready {took:<9}  {service.address}")


def _say_line(name: str | None, line: str) -> None:
    data.print(line if name is None else f"{name:<9}| {line}", markup=False)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
