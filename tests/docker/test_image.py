"""The image holds all that the flows need."""

import pytest

from tests.docker.engine import docker

# The first test builds the image.
pytestmark = pytest.mark.timeout(600)


def test_flows_are_imported_without_network_or_writing(image):
    bare = ["--network", "none", "--read-only", "--tmpfs", "/tmp"]
    docker("run", "--rm", *bare, image, "python", "-c", "import flows")
