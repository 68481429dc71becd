"""Deploys `prefect.yaml` to a Prefect server, all or nothing, and shows what changes.

`prefect deploy --all` stops in the middle when the server refuses a deployment, and says nothing of what was there
before. Here everything is checked and compared first; a server that then refuses one gets the others back as they were.
"""

import importlib.metadata
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from prefect.utilities.schema_tools import validate

from connectors.errors import ConfigurationError, LakehouseError, ServiceUnavailable
from deployments.change import Change, Choices, Fields, differences, stored_fields, wanted_fields
from deployments.targets import Target
from deployments.validate import FlowDeployment


def plan_changes(
    client: SyncPrefectClient,
    deployments: Sequence[FlowDeployment],
    target: Target,
    *,
    version: str,
    schedules: Literal["on", "off"] | None = None,
    choices: Choices = MappingProxyType({}),
) -> list[Change]:
    """Compares what is to be deployed with what the server has; changes nothing.

    Args:
        client: The server.
        deployments: What is to be.
        target: Where the flows are to run.
        version: Version of the code.
        schedules: Turns all schedules on or off; None: they stay as they are, new ones as the file says.
        choices: Values that parameters of flows can have.

    Raises:
        ConfigurationError: The work pool is not there, is of another type, or misses a job variable.
        ServiceUnavailable: The server does not answer.
    """
    with _answers():
        template = _job_template(client, target)
        changes = []
        for one in deployments:
            there = _read(client, one.name)
            before = None if there is None else stored_fields(there)
            after = wanted_fields(one, before=before, version=version, schedules=schedules, choices=choices)
            _check_job_variables(one, after, template)
            changes.append(Change(one.flow.name, one.deployment.name, before, after))
    return changes


def make_pool(client: SyncPrefectClient, target: Target, values: Mapping[str, Any]) -> None:
    """Makes a work pool, or gives the one there is the present template.

    Args:
        client: The server.
        target: The pool.
        values: What the pool's variables are where no deployment says otherwise.

    Raises:
        ConfigurationError: A variable is unknown, or its value does not fit.
        ServiceUnavailable: The server does not answer.
    """
    template = target.job_template(values)
    errors = validate(dict(values), {**template["variables"], "required": []})
    if errors:
        raise ConfigurationError(f"the work pool {target.name} can't have these values: {errors[0].message}")
    with _answers(f"the work pool {target.name}"):
        pool = WorkPoolCreate(name=target.name, type=target.pool_type, base_job_template=template)
        client.create_work_pool(pool, overwrite=True)


def apply_changes(client: SyncPrefectClient, changes: Sequence[Change]) -> None:
    """Carries out a plan; if the server refuses a part of it, all is put back as it was.

    Raises:
        ConfigurationError: The server refused a deployment, or kept something else of it than it was given.
        ServiceUnavailable: The server does not answer.
    """
    done: list[Change] = []
    try:
        for change in changes:
            if change.differences:
                with _answers(change.full_name):
                    done.append(change)
                    _write(client, change, change.after)
                    _check_kept(client, change)
    except BaseException:
        for change in reversed(done):
            _put_back(client, change)
        raise


def code_version(folder: Path) -> str:
    """Version of the code: what the image was given, else as git describes it, else that of the installed package."""
    if version := os.environ.get("LAKEHOUSE_VERSION"):
        return version
    describe = ["git", "-C", str(folder), "describe", "--always", "--tags", "--dirty"]
    try:
        return subprocess.run(describe, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return importlib.metadata.version("lakehouse-flows")


def _job_template(client: SyncPrefectClient, target: Target) -> Fields:
    try:
        pool = client.read_work_pool(target.name)
    except ObjectNotFound:
        raise ConfigurationError(
            f"the server has no work pool {target.name}", hint=f"make it with `lakehouse pool {target.name}`"
        ) from None
    if pool.type != target.pool_type:
        raise ConfigurationError(
            f"the work pool {target.name} is of type {pool.type}, not {target.pool_type}",
            hint="delete it, or rename it, in Prefect's user interface",
        )
    return pool.base_job_template


def _check_job_variables(one: FlowDeployment, after: Fields, template: Fields) -> None:
    schema = template["variables"]
    defaults = {name: known["default"] for name, known in schema["properties"].items() if "default" in known}
    errors = validate({**defaults, **after["job_variables"]}, schema)
    if errors:
        raise ConfigurationError(
            f"{one.name} can't run in the work pool {one.deployment.work_pool.name}: {errors[0].message}",
            hint="give the job variable a default in the pool, or a value in prefect.yaml",
        )


def _read(client: SyncPrefectClient, name: str) -> DeploymentResponse | None:
    try:
        return client.read_deployment_by_name(name)
    except ObjectNotFound:
        return None


def _write(client: SyncPrefectClient, change: Change, fields: Fields) -> None:
    flow_id = client.create_flow_from_name(change.flow_name)
    client.create_deployment(flow_id, change.name, **{**fields, "schedules": list(fields["schedules"].values())})


def _check_kept(client: SyncPrefectClient, change: Change) -> None:
    there = _read(client, change.full_name)
    lost = differences({} if there is None else stored_fields(there), change.after)
    if lost:
        places = ", ".join(path for path, _, _ in lost)
        raise ConfigurationError(
            f"the server did not keep all of {change.full_name}: {places}",
            hint="use a server of the version that is installed here",
        )


def _put_back(client: SyncPrefectClient, change: Change) -> None:
    with _answers(change.full_name):
        if change.before is not None:
            _write(client, change, change.before)
            return
        there = _read(client, change.full_name)
        if there is not None:
            client.delete_deployment(there.id)


@contextmanager
def _answers(what: str = "the request") -> Iterator[None]:
    try:
        yield
    except httpx.HTTPStatusError as error:
        kind: type[LakehouseError] = ServiceUnavailable if error.response.is_server_error else ConfigurationError
        raise kind(f"Prefect refuses {what}: {_detail(error.response)}") from error
    except httpx.HTTPError as error:
        raise ServiceUnavailable(f"Prefect does not answer: {error}", hint="is the server up?") from error


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return response.text
