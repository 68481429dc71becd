"""The image of the flows, built once. Where that can't be, the tests are skipped and say why."""

import os
import shlex

import pytest

from tests.docker.engine import ROOT, can, docker
from tests.e2e.conftest import settings, shop

# The stack, beside which the containers run.
__all__ = ["image", "settings", "shop"]

IMAGE = "lakehouse-flows:test"


@pytest.fixture(scope="session")
def image():
    """Name of the image. DOCKER_BASE is another image to build on, DOCKER_ARGS are further arguments of the build."""
    if not can("info", within=20):
        pytest.skip("no container engine answers: neither the image nor the Docker worker is tested")
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
    base = os.environ.get("DOCKER_BASE") or dockerfile.partition("ARG PYTHON=")[2].split()[0]
    if not (can("image", "inspect", base, within=20) or can("pull", base, within=120)):
        pytest.skip(f"{base} can't be pulled: neither the image nor the Docker worker is tested")
    own = ["--build-arg", f"PYTHON={base}", *shlex.split(os.environ.get("DOCKER_ARGS", ""))]
    docker("build", *own, "-f", "docker/Dockerfile", "-t", IMAGE, ".", within=400)
    return IMAGE
