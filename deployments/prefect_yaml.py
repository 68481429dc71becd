"""A strict model of `prefect.yaml`, because Prefect ignores unknown keys."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from prefect.client.schemas.objects import ConcurrencyOptions
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.utilities.templating import PlaceholderType, find_placeholders
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt, model_validator

from connectors.errors import ConfigurationError


def _without_empty(variables: dict[str, Any]) -> dict[str, Any]:
    # What the environment leaves empty is the pool's to say.
    return {name: value for name, value in variables.items() if value != ""}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Schedule(_Strict):
    """When a deployment runs by itself."""

    # Deploying again finds the schedule by its slug, and leaves it on or off as it was.
    slug: str
    cron: str | None = None
    interval: timedelta | None = Field(None, gt=timedelta(0))
    rrule: str | None = None
    timezone: str
    anchor_date: str | None = None
    day_or: bool | None = None
    active: bool
    parameters: dict[str, Any] = {}

    @model_validator(mode="after")
    def _is_a_schedule(self) -> Self:
        self.timing()
        return self

    def timing(self) -> CronSchedule | IntervalSchedule | RRuleSchedule:
        """The schedule as Prefect knows it.

        Raises:
            ValueError: It is not one; Prefect's models know what is a cron expression and what a time zone.
        """
        kinds: dict[str, type[CronSchedule | IntervalSchedule | RRuleSchedule]] = {
            "cron": CronSchedule,
            "interval": IntervalSchedule,
            "rrule": RRuleSchedule,
        }
        given = [kind for kind in kinds if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError("exactly one of cron, interval and rrule is needed")
        if self.interval is not None and self.anchor_date is None:
            raise ValueError("an interval needs an anchor_date: without one, each deploying moves it")
        own = {given[0], "timezone", "anchor_date", "day_or"}
        values = self.model_dump(include=own, exclude_none=True)
        return kinds[given[0]].model_validate(values, extra="forbid")


class ConcurrencyLimit(_Strict):
    """How many runs of a deployment go on at a time, and what happens to one more."""

    limit: PositiveInt
    # Prefect's default, ENQUEUE, lets runs of a frequent schedule pile up: the choice is to be seen in the file.
    collision_strategy: str
    grace_period_seconds: int | None = None

    @model_validator(mode="after")
    def _is_honoured(self) -> Self:
        self.options()
        return self

    def options(self) -> ConcurrencyOptions:
        """All but the limit, as the installed Prefect knows it.

        Raises:
            ValueError: It does not know the strategy or the setting, or does not allow the value.
        """
        values = self.model_dump(exclude={"limit"}, exclude_none=True)
        return ConcurrencyOptions.model_validate(values, extra="forbid")


class WorkPool(_Strict):
    """Where a deployment runs."""

    name: str = Field(min_length=1)
    work_queue_name: str = "default"
    job_variables: Annotated[dict[str, Any], AfterValidator(_without_empty)] = {}


class Deployment(_Strict):
    """One deployment."""

    name: str = Field(min_length=1)
    version: str | None = None
    description: str
    tags: list[str] = []
    entrypoint: str
    parameters: dict[str, Any] = {}
    enforce_parameter_schema: bool = True
    schedules: list[Schedule] = []
    concurrency_limit: ConcurrencyLimit | None = None
    work_pool: WorkPool

    @model_validator(mode="after")
    def _tells_schedules_apart(self) -> Self:
        slugs = [schedule.slug for schedule in self.schedules]
        if len(set(slugs)) < len(slugs):
            raise ValueError(f"schedules share a slug: {', '.join(slugs)}")
        return self


class PrefectFile(_Strict):
    """The whole file."""

    name: str | None = None
    prefect_version: str | None = Field(None, alias="prefect-version")
    definitions: dict[str, Any] = {}
    pull: list[dict[str, dict[str, Any]]] = []
    deployments: list[Deployment]


def read_yaml(path: Path) -> Any:
    """Reads the file as it is.

    Raises:
        ConfigurationError: It can't be read as YAML.
    """
    try:
        return yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path} can't be read: {error}") from error


def fill(content: Any, variables: Mapping[str, str]) -> Any:
    """Puts values in the place of `{{ $NAME }}`; all other placeholders are left to Prefect.

    Raises:
        ConfigurationError: A name has no value.
    """
    match content:
        case dict():
            return {key: fill(value, variables) for key, value in content.items()}
        case list():
            return [fill(value, variables) for value in content]
        case str():
            for placeholder in find_placeholders(content):
                if placeholder.type is PlaceholderType.ENV_VAR:
                    content = content.replace(placeholder.full_match, _value(placeholder.name, variables))
    return content


def _value(name: str, variables: Mapping[str, str]) -> str:
    try:
        return variables[name.lstrip("$")]
    except KeyError:
        raise ConfigurationError(
            f"prefect.yaml asks for {name}, which nothing sets", hint=f"there are {', '.join(variables)}"
        ) from None
