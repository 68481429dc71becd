"""The changes of a deploy: the fields of a deployment in `prefect.yaml`, compared with those of a server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from prefect.client.schemas.actions import DeploymentCreate, DeploymentScheduleCreate
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.utilities.callables import parameter_schema

from deployments.validate import FlowDeployment

Fields = dict[str, Any]
Difference = tuple[str, Any, Any]
Choices = Mapping[tuple[str, str], Sequence[str]]
"""By names of flow and parameter."""

_NOWHERE = UUID(int=0)
# Not zero, and not false: those are values.
_NOTHING: tuple[Any, ...] = (None, {}, [])
_KEPT = {
    "version",
    "description",
    "tags",
    "parameters",
    "entrypoint",
    "pull_steps",
    "job_variables",
    "work_pool_name",
    "work_queue_name",
    "enforce_parameter_schema",
    "parameter_openapi_schema",
    "concurrency_options",
}


@dataclass(frozen=True)
class Change:
    """What deploying does to one deployment.

    Attributes:
        flow_name: Name of its flow.
        name: Name of the deployment.
        before: What the server has of it; None: nothing.
        after: What `prefect.yaml` says.
    """

    flow_name: str
    name: str
    before: Fields | None
    after: Fields

    @property
    def full_name(self) -> str:
        """As Prefect names it: `drain-cdc/drain-local`."""
        return f"{self.flow_name}/{self.name}"

    @property
    def differences(self) -> list[Difference]:
        """What becomes of which field: its path, the value there is, and the one to come."""
        return differences(self.before or {}, self.after)


def differences(before: Any, after: Any, path: str = "") -> list[Difference]:
    """Compares two trees leaf by leaf: path, value before, value after; None stands for nothing."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = dict.fromkeys([*before, *after])
        inner = [(f"{path}.{key}" if path else key, before.get(key), after.get(key)) for key in keys]
        return [found for place, one, other in inner for found in differences(one, other, place)]
    if before == after or (before in _NOTHING and after in _NOTHING):
        return []
    return [(path, before, after)]


def wanted_fields(
    one: FlowDeployment,
    *,
    before: Fields | None,
    version: str,
    schedules: Literal["on", "off"] | None,
    choices: Choices,
) -> Fields:
    """What `prefect.yaml` says of a deployment.

    Args:
        one: The deployment.
        before: What the server has of it: a schedule stays on or off as it is there.
        version: Version of the code.
        schedules: Turns its schedules on or off all the same.
        choices: Values that parameters can have, which only the settings know.
    """
    said = one.deployment
    were_on = {slug: schedule["active"] for slug, schedule in (before or {}).get("schedules", {}).items()}
    limit = said.concurrency_limit
    created = DeploymentCreate(
        name=said.name,
        flow_id=_NOWHERE,
        version=said.version or version,
        description=said.description,
        tags=said.tags,
        parameters=said.parameters,
        entrypoint=said.entrypoint,
        pull_steps=one.pull,
        job_variables=said.work_pool.job_variables,
        work_pool_name=said.work_pool.name,
        work_queue_name=said.work_pool.work_queue_name,
        enforce_parameter_schema=said.enforce_parameter_schema,
        parameter_openapi_schema=_parameters(one, choices),
        concurrency_options=None if limit is None else limit.options(),
        schedules=[
            DeploymentScheduleCreate(
                schedule=schedule.timing(),
                slug=schedule.slug,
                parameters=schedule.parameters,
                active=were_on.get(schedule.slug, schedule.active) if schedules is None else schedules == "on",
            )
            for schedule in said.schedules
        ],
    )
    return _as_fields(created, concurrency_limit=None if limit is None else limit.limit)


def _parameters(one: FlowDeployment, choices: Choices) -> Fields:
    """The schema of a flow's parameters, from which Prefect makes the form of a run: a choice becomes a list."""
    schema: Fields = parameter_schema(one.flow).model_dump(exclude_unset=True)
    for name, parameter in schema["properties"].items():
        if values := choices.get((one.flow.name, name)):
            parameter["enum"] = list(values)
    return schema


def stored_fields(there: DeploymentResponse) -> Fields:
    """What a server has of a deployment."""
    limit = there.global_concurrency_limit
    return _as_fields(there, concurrency_limit=None if limit is None else limit.limit)


def _as_fields(deployment: DeploymentCreate | DeploymentResponse, *, concurrency_limit: int | None) -> Fields:
    fields = deployment.model_dump(mode="json", include=_KEPT, exclude_none=True)
    stored: list[DeploymentScheduleCreate | DeploymentSchedule] = [*deployment.schedules]
    # One that was made in the user interface has no slug.
    schedules = {schedule.slug or str(number): _schedule_fields(schedule) for number, schedule in enumerate(stored)}
    return {**fields, "concurrency_limit": concurrency_limit, "schedules": schedules}


def _schedule_fields(schedule: DeploymentScheduleCreate | DeploymentSchedule) -> Fields:
    return schedule.model_dump(mode="json", include={"schedule", "slug", "parameters", "active"}, exclude_none=True)
