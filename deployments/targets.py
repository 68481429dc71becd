"""The work pools that `prefect.yaml` deploys to: processes, Docker containers, AWS ECS.

The file is the same for all of them. What differs is filled into its placeholders, `{{ $LAKEHOUSE_POOL }}`:
Prefect's own `prefect deploy` takes them from the environment, `lakehouse deploy` from here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.errors import ConfigurationError

PROJECT = Path(__file__).resolve().parents[1]
"""The folder of the packages: a checkout, or what a wheel was installed into."""

PREFECT_FILE = next(
    file for file in (PROJECT / "prefect.yaml", Path(__file__).with_name("prefect.yaml")) if file.exists()
)
"""Beside the packages in a checkout, within this one in a wheel."""

IMAGE_FOLDER = "/opt/lakehouse"
"""Where docker/Dockerfile puts them."""


@dataclass(frozen=True)
class Target:
    """One kind of place.

    Attributes:
        name: Name of the work pool, and of the deployments that run there.
        pool_type: Prefect's type of the pool.
        has_image: Whether runs are containers of an image.
    """

    name: str
    pool_type: str
    has_image: bool

    @property
    def template(self) -> Path:
        """The pool's base job template."""
        return PROJECT / "deployments" / "pools" / f"{self.name}.json"

    def job_template(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The template, with values for its variables: what a deployment does not say is the pool's.

        Raises:
            ConfigurationError: The template has no such variable.
        """
        content: dict[str, Any] = json.loads(self.template.read_text())
        variables = content["variables"]["properties"]
        unknown = values.keys() - variables.keys()
        if unknown:
            raise ConfigurationError(
                f"the work pool {self.name} has no variable {', '.join(sorted(unknown))}",
                hint=f"there are {', '.join(variables)}",
            )
        for name, value in values.items():
            variables[name]["default"] = value
        return content

    def variables(self, image: str | None) -> Mapping[str, str]:
        """What the placeholders of `prefect.yaml` stand for.

        Args:
            image: Image of the flows; ignored where runs are plain processes.

        Raises:
            ConfigurationError: An image is needed.
        """
        if not self.has_image:
            return {"LAKEHOUSE_POOL": self.name, "LAKEHOUSE_CODE": str(PROJECT), "LAKEHOUSE_IMAGE": ""}
        if not image:
            raise ConfigurationError(
                f"the work pool {self.name} runs containers, and no image is named",
                hint="build docker/Dockerfile, push it, and name it with --image or LAKEHOUSE_IMAGE",
            )
        return {"LAKEHOUSE_POOL": self.name, "LAKEHOUSE_CODE": IMAGE_FOLDER, "LAKEHOUSE_IMAGE": image}


LOCAL = Target("local", "process", has_image=False)
TARGETS = {
    target.name: target
    for target in (LOCAL, Target("docker", "docker", has_image=True), Target("ecs", "ecs", has_image=True))
}
"""All of them by name."""
