"""Validates `prefect.yaml` strictly, because Prefect ignores unknown keys.

`schedulez:` deploys silently, and a misspelt parameter is found by the first run at night. Run it with
`python -m deployments.validate`.
"""

import inspect
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.exceptions import ParameterTypeError, PrefectException, SignatureMismatchError
from prefect.flows import load_flow_from_entrypoint
from prefect.logging.loggers import disable_logger
from prefect.utilities.importtools import import_object
from pydantic import ValidationError

from connectors.errors import ConfigurationError
from deployments.prefect_yaml import Deployment, PrefectFile, fill, read_yaml
from deployments.targets import PREFECT_FILE, PROJECT, TARGETS

OF_EVERY_STEP = {"id", "requires"}


@dataclass(frozen=True)
class FlowDeployment:
    """One deployment with its flow."""

    flow: Flow[..., Any]
    deployment: Deployment
    pull: list[dict[str, dict[str, Any]]]

    @property
    def name(self) -> str:
        """As Prefect names it: `drain-cdc/drain-local`."""
        return f"{self.flow.name}/{self.deployment.name}"


def load_deployments(path: Path, variables: Mapping[str, str]) -> list[FlowDeployment]:
    """Reads a `prefect.yaml` with nothing wrong in it.

    Raises:
        ConfigurationError: Something is; names all that is.
    """
    found, problems = _check(path, variables)
    if problems:
        raise ConfigurationError("\n".join([f"{path} is wrong:", *problems]))
    return found


def find_problems(path: Path, variables: Mapping[str, str]) -> list[str]:
    """Says what is wrong with a `prefect.yaml`.

    Args:
        path: The file; entrypoints are relative to its folder, those of `PREFECT_FILE` to the folder of the packages.
        variables: Value of each placeholder.

    Raises:
        ConfigurationError: The file can't be read as YAML, or has a placeholder without a value.
    """
    return _check(path, variables)[1]


def _check(path: Path, variables: Mapping[str, str]) -> tuple[list[FlowDeployment], list[str]]:
    content = fill(read_yaml(path), variables)
    try:
        file = PrefectFile.model_validate(content)
    except ValidationError as error:
        return [], [f"{_place(e['loc'], content)}: {e['msg']}" for e in error.errors()]
    found, problems = [], list(_problems_with_steps(file.pull))
    code = PROJECT if path == PREFECT_FILE else path.parent
    for deployment in file.deployments:
        try:
            flow: Flow[..., Any] = load_flow_from_entrypoint(
                str(code / deployment.entrypoint), use_placeholder_flow=False
            )
        except (PrefectException, ImportError, OSError, ValueError) as error:
            problems.append(f"{deployment.name}: entrypoint {deployment.entrypoint}: {error}")
            continue
        found.append(FlowDeployment(flow, deployment, file.pull))
    for one in found:
        problems += _problems_with_parameters(one)
    names = Counter(one.name for one in found)
    problems += [f"{name}: {count} deployments of this name" for name, count in names.items() if count > 1]
    return found, problems


def _problems_with_steps(steps: list[dict[str, dict[str, Any]]]) -> Iterator[str]:
    for index, step in enumerate(steps):
        for name, inputs in step.items():
            try:
                inspect.signature(import_object(name)).bind(**{k: inputs[k] for k in inputs.keys() - OF_EVERY_STEP})
            except (ImportError, AttributeError, ValueError, TypeError) as error:
                yield f"pull.{index}.{name}: {error}"


def _problems_with_parameters(one: FlowDeployment) -> Iterator[str]:
    deployment = one.deployment
    places = {"parameters": deployment.parameters}
    for index, schedule in enumerate(deployment.schedules):
        # A schedule's parameters come on top of the deployment's.
        places[f"schedules.{index}.parameters"] = deployment.parameters | schedule.parameters
    for place, parameters in places.items():
        try:
            with disable_logger("prefect.flows"):
                one.flow.validate_parameters(parameters)
        except (SignatureMismatchError, ParameterTypeError) as error:
            if place == "parameters" and _only_missing(error):
                # The form of a manual run asks for them; a schedule must have them.
                continue
            yield f"{one.name}: {place}: {error}"
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
    """Checks the project's `prefect.yaml` for every place it can be deployed to; prints what is wrong."""
    problems = {
        problem: None
        for target in TARGETS.values()
        for problem in find_problems(PREFECT_FILE, target.variables("lakehouse-flows:check"))
    }
    for problem in problems:
        print(problem, file=sys.stderr)  # noqa: T201 # the answer of a command
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
