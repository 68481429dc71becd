"""A world with the tables of some cases that the tests share, until a fault breaks it."""

import os
import random
from contextlib import ExitStack

import pytest

from deployments.stack.start import stop_in_order
from tests.cases.case import all_cases
from tests.crash.world import fresh_world
from tests.services import shared_services

CASES = 10
_SEED = "LAKEHOUSE_TEST_SEED"


@pytest.fixture(scope="session")
def stack_services(tmp_path_factory):
    """The services, of which nobody else needs any after these tests: those that were killed are ours now."""
    with shared_services(tmp_path_factory.mktemp("stack")) as services:
        yield services
        stop_in_order([services.postgres, services.kafka, services.connect])


@pytest.fixture
def rng(request):
    """Random numbers of this test; the same ones for the same seed."""
    return random.Random(f"{os.environ[_SEED]}/{request.node.name}")


@pytest.fixture(scope="session")
def worlds(stack_services, tmp_path_factory):
    """At the most one world, and what closes it."""
    with ExitStack() as stack:
        yield stack, {}


@pytest.fixture
def world(worlds, stack_services, tmp_path_factory):
    """A world in which everything is well; the next test gets another one if this test breaks it."""
    stack, found = worlds
    if not found:
        cases = random.Random(os.environ[_SEED]).sample(all_cases(), CASES)
        folder = tmp_path_factory.mktemp("world")
        found["world"] = stack.enter_context(fresh_world(stack_services, folder, cases=cases))
    yield found["world"]
    if not found["world"].whole:
        found.clear()
        stack.close()
