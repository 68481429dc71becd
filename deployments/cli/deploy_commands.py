"""`lakehouse pool` and `lakehouse deploy`: the work pools, and the deployments of `prefect.yaml` that run there."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from connectors.errors import ConfigurationError
from connectors.settings import load_settings
from deployments.cli.console import data, talk
from deployments.targets import PREFECT_FILE, PROJECT, TARGETS

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

    from deployments.change import Change

PANEL = "Prefect"
LONGEST = 60


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (pool, deploy):
        app.command(rich_help_panel=PANEL)(command)


def pool(
    name: Annotated[Literal["local", "docker", "ecs"], typer.Argument(help="The work pool.")],
    value: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Value of a variable, text or JSON.")
    ] = None,
) -> None:
    """Create a work pool on a Prefect server from its template in deployments/pools.

    Another run updates the pool to the current template, and forgets the values of the last run.
    Never put secrets into values: Prefect shows them.

    Example: lakehouse pool ecs --set cluster=lake --set 'subnets=["subnet-1"]'
    """
    from deployments.deploy import make_pool  # noqa: PLC0415 # Prefect takes seconds

    values = dict(map(_value, value or []))
    with _server() as client:
        make_pool(client, TARGETS[name], values)
        talk.print(f"Work pool {name} matches its template, at {client.api_url}")


def deploy(
    pool: Annotated[
        Literal["local", "docker", "ecs"],
        typer.Option(help="Where the flows run: processes, Docker containers, AWS ECS tasks."),
    ],
    image: Annotated[
        str | None, typer.Option(envvar="LAKEHOUSE_IMAGE", help="Image of the flows, for docker and ecs.")
    ] = None,
    schedules: Annotated[
        Literal["on", "off"] | None,
        typer.Option(help="Turn all schedules and automations on or off; by default they stay as they are."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
) -> None:
    """Deploy every flow of prefect.yaml to a Prefect server: all or none.

    Checks the file, the flows' parameters and the work pool first, and shows what changes.
    New schedules are off, so that deploying starts nothing; later deploys leave them on or off as they are.
    The same holds for automations, which build the marts after a drain, and send notifications of failures.

    Example: lakehouse deploy --pool local --dry-run
    """
    # Imported here: Prefect takes seconds, and few commands need it.
    from deployments.automations import apply_automations, notification, plan_automations  # noqa: PLC0415
    from deployments.choices import parameter_choices  # noqa: PLC0415
    from deployments.deploy import apply_changes, code_version, plan_changes  # noqa: PLC0415
    from deployments.validate import load_deployments  # noqa: PLC0415

    target, settings = TARGETS[pool], load_settings()
    found = load_deployments(PREFECT_FILE, target.variables(image))
    with _server() as client:
        changes = plan_changes(
            client,
            found,
            target,
            version=code_version(PROJECT),
            schedules=schedules,
            choices=parameter_choices(settings),
        )
        notify = notification(client, settings.prefect.notify_block)
        automated = []
        if not dry_run:
            apply_changes(client, changes)
            automations = plan_automations(client, pool=target.name, notify=notify)
            automated = apply_automations(client, automations, turned=schedules)
        for change in changes:
            _show(change)
        changed = sum(bool(change.differences) for change in changes)
        what = "would change; nothing was" if dry_run else "changed"
        talk.print(f"{changed} of {len(changes)} deployments {what}, at {client.api_url}")
        for name in automated:
            talk.print(f"automation changed: {name}", markup=False)


@contextmanager
def _server() -> "Iterator[SyncPrefectClient]":
    from prefect.client.orchestration import get_client  # noqa: PLC0415 # it takes seconds
    from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415

    api_url = load_settings().prefect.api_url or PREFECT_API_URL.value()
    if not api_url:
        raise ConfigurationError(
            "no Prefect server is named", hint="start one with `lakehouse up`, or set LAKEHOUSE_PREFECT__API_URL"
        )
    with temporary_settings({PREFECT_API_URL: api_url}), get_client(sync_client=True) as client:
        yield client


def _value(setting: str) -> tuple[str, object]:
    name, given, text = setting.partition("=")
    if not given:
        raise ConfigurationError(f"--set {setting} has no value", hint="--set NAME=VALUE")
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text


def _show(change: "Change") -> None:
    sign = "+" if change.before is None else "~" if change.differences else "="
    data.print(f"{sign} {change.full_name}", markup=False)
    if change.before is None:
        return
    for path, before, after in change.differences:
        # Who sets a variable in the user interface may have put a password there.
        hidden = ".env." in path or path.endswith(".env")
        shown = "(not shown)" if hidden else f"{_short(before)} -> {_short(after)}"
        data.print(f"    {path}: {shown}", markup=False)


def _short(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
