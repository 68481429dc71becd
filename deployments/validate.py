"""Strict check of `prefect.yaml`, because Prefect ignores what it does not know.

`schedulez:` deploys without a word, and a misspelt parameter is found by the first run at night. Run it with
`python -m deployments.validate`.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from prefect import Flow
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.exceptions import ParameterTypeError, PrefectException, SignatureMismatchError
from prefect.flows import load_flow_from_entrypoint
from prefect.logging.loggers import disable_logger
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from connectors.errors import ConfigurationError

PREFECT_FILE = Path(__file__).parents[1] / "prefect.yaml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Schedule(_Strict):
    """When a deployment runs by itself."""

    cron: str | None = None
    interval: timedelta | None = Field(None, gt=timedelta(0))
    rrule: str | None = None
    timezone: str | None = None
    anchor_date: str | None = None
    day_or: bool | None = None
    active: bool | None = None
    parameters: dict[str, Any] = {}
    slug: str | None = None

    @model_validator(mode="after")
    def _is_a_schedule(self) -> Self:
        kinds: dict[str, type[BaseModel]] = {"cron": CronSchedule, "interval": IntervalSchedule, "rrule": RRuleSchedule}
        given = [kind for kind in kinds if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError("exactly one of cron, interval and rrule is needed")
        # Prefect's own models know what is a cron expression and what a time zone.
        own = {given[0], "timezone", "anchor_date", "day_or"}
        kinds[given[0]].model_validate(self.model_dump(include=own, exclude_none=True), extra="forbid")
        return self


class ConcurrencyLimit(_Strict):
    """How many runs of a deployment go on at a time, and what happens to one more."""

    limit: PositiveInt
    # Prefect's default, ENQUEUE, lets runs of a frequent schedule pile up: the choice is to be seen in the file.
    collision_strategy: Literal["ENQUEUE", "CANCEL_NEW"]
    grace_period_seconds: PositiveInt | None = None


class WorkPool(_Strict):
    """Where a deployment runs."""

    name: str
    work_queue_name: str | None = None
    job_variables: dict[str, Any] = {}


class Deployment(_Strict):
    """One deployment."""

    name: str
    version: str | None = None
    description: str
    tags: list[str] = []
    entrypoint: str
    parameters: dict[str, Any] = {}
    enforce_parameter_schema: bool | None = None
    schedules: list[Schedule] = []
    paused: bool | None = None
    concurrency_limit: ConcurrencyLimit | None = None
    work_pool: WorkPool


class PrefectFile(_Strict):
    """The whole file."""

    name: str | None = None
    prefect_version: str | None = Field(None, alias="prefect-version")
    definitions: dict[str, Any] = {}
    deployments: list[Deployment]


def find_problems(path: Path = PREFECT_FILE) -> list[str]:
    """Says what is wrong with a `prefect.yaml`; entrypoints are relative to its folder.

    Raises:
        ConfigurationError: The file can't be read as YAML.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path} can't be read: {error}") from error
    try:
        file = PrefectFile.model_validate(content)
    except ValidationError as error:
        return [f"{_place(e['loc'], content)}: {e['msg']}" for e in error.errors()]
    return list(_problems_with_flows(file.deployments, path.parent))


def _problems_with_flows(deployments: list[Deployment], folder: Path) -> Iterator[str]:
    names: Counter[str] = Counter()
    for deployment in deployments:
        try:
            flow: Flow[..., Any] = load_flow_from_entrypoint(
                str(folder / deployment.entrypoint), use_placeholder_flow=False
            )
        except (PrefectException, ImportError, OSError, ValueError) as error:
            yield f"{deployment.name}: entrypoint {deployment.entrypoint}: {error}"
            continue
        name = f"{flow.name}/{deployment.name}"
        names[name] += 1
        yield from _problems_with_parameters(flow, deployment, name)
    yield from (f"{name}: {count} deployments of this name" for name, count in names.items() if count > 1)


def _problems_with_parameters(flow: Flow[..., Any], deployment: Deployment, name: str) -> Iterator[str]:
    places = {"parameters": deployment.parameters}
    for index, schedule in enumerate(deployment.schedules):
        # A schedule's parameters come on top of the deployment's.
        places[f"schedules.{index}.parameters"] = deployment.parameters | schedule.parameters
    for place, parameters in places.items():
        try:
            with disable_logger("prefect.flows"):
                flow.validate_parameters(parameters)
        except (SignatureMismatchError, ParameterTypeError) as error:
            if place == "parameters" and _only_missing(error):
                # Whoever starts a run by hand is asked for them; a schedule must give them.
                continue
            yield f"{name}: {place}: {error}"
            # What is wrong with the deployment's parameters would be found in each of its schedules again.
            return


def _only_missing(error: Exception) -> bool:
    # Prefect passes on the text alone.
    cause = error.__context__
    return isinstance(cause, ValidationError) and all(found["type"] == "missing" for found in cause.errors())


def _place(location: tuple[int | str, ...], content: Any) -> str:
    """`deployments.drain.schedules.0.cron`: a deployment by its name, where it has one."""
    parts = list(map(str, location))
    match location, content:
        case ("deployments", int(index), *_), {"deployments": deployments}:
            parts[1] = deployments[index].get("name") or parts[1]
    return ".".join(parts) or "file"


def main() -> int:
    """Checks the project's `prefect.yaml`; prints what is wrong."""
    problems = find_problems()
    for problem in problems:
        print(problem, file=sys.stderr)  # noqa: T201 # the answer of a command
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
