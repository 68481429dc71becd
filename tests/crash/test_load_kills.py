"""Whatever kills a batch load, and however many run at once: the next one leaves the table equal to its source."""

import multiprocessing
import os
import signal

import pytest

from connectors.errors import TransientError
from connectors.failpoints import LOAD_FAILPOINTS, VARIABLE
from connectors.loads.load import load_table
from tests.aws import moto_server
from tests.crash.load_worlds import ItemsWorld, ObjectsWorld, TableWorld
from tests.services import fresh_database

ROUNDS = int(os.environ.get("LAKEHOUSE_LOAD_ROUNDS", "1"))
_PATIENCE_SECONDS = 60
_TRANSIENT = 75

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["connectors.loads.load", "connectors.cdc.resync", "connectors.cdc.drift"])


@pytest.fixture(scope="module")
def aws():
    with moto_server() as aws:
        yield aws


@pytest.fixture(params=["objects", "table", "items"])
def world(request, tmp_path, aws):
    if request.param == "table":
        with fresh_database(request.getfixturevalue("stack_services")) as database:
            yield TableWorld(tmp_path, database)
    else:
        yield {"objects": ObjectsWorld, "items": ItemsWorld}[request.param](tmp_path, aws)


def run(settings, source, table, environment):
    os.environ.update(environment)
    try:
        load_table(settings, source, table)
    except TransientError:
        os._exit(_TRANSIENT)


def start(world, **environment):
    """Begins a load in a process of its own."""
    process = _processes.Process(target=run, args=(world.settings, world.source, world.table, environment))
    process.start()
    return process


def end(process):
    process.join(_PATIENCE_SECONDS)
    assert process.exitcode in (0, _TRANSIENT, -signal.SIGKILL), process.exitcode
    return process.exitcode


def finish(world):
    assert end(start(world)) == 0
    world.check()


def test_a_kill_at_any_failpoint(world, rng):
    kills = 0
    for name in LOAD_FAILPOINTS * ROUNDS:
        world.change(rng)
        # There is no second one where the first one was the last.
        passage = rng.choice((1, 1, 2)) if kills else 1
        kills += end(start(world, **{VARIABLE: f"{name}:{passage}"})) != 0
        finish(world)
    assert kills > 0


def test_a_kill_at_any_moment(world, rng):
    kills = 0
    for _ in range(3 * ROUNDS):
        world.change(rng)
        process = start(world)
        process.join(rng.uniform(0.02, 0.5 if kills else 0.1))
        if process.is_alive():
            process.kill()
        kills += end(process) != 0
        finish(world)
    assert kills > 0


def test_several_at_once(world, rng):
    for _ in range(ROUNDS):
        world.change(rng)
        for process in [start(world) for _ in range(3)]:
            end(process)
        finish(world)
