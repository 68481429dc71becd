"""The whole stack as `lakehouse up` starts it, with a small shop that is captured; started once per session."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_URL, temporary_settings
from psycopg import sql

from connectors.cdc.registration import register_source
from connectors.postgres.connection import connect
from connectors.settings import load_settings
from connectors.synthetic import create_shop, fill_shop

ROOT = Path(__file__).parents[2]


def lakehouse(*arguments):
    code = "from deployments.cli import app; app()"
    subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, check=True)


@pytest.fixture(scope="session")
def settings(tmp_path_factory):
    """Settings of a running stack, in a folder with a space in its name."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("LAKEHOUSE_", "PREFECT_"))]:
            patch.delenv(name)
        patch.setenv("LAKEHOUSE_HOME", str(tmp_path_factory.mktemp("e2e") / "a home"))
        try:
            lakehouse("up", "--detach")
            settings = load_settings()
            with temporary_settings({PREFECT_API_URL: settings.prefect.api_url, "flows.heartbeat_frequency": None}):
                yield settings
                # What is still to be sent to the server: afterwards it would be tried for a minute, for nothing.
                APILogWorker.drain_all(timeout=5)
        finally:
            lakehouse("down", "--delete-data", "--yes")


@pytest.fixture(scope="session")
def shop(settings):
    """A connection to the shop's database, whose tables are captured."""
    with connect(settings.postgres) as connection:
        connection.autocommit = True
        create_shop(connection)
        fill_shop(connection, orders=300, seed=1)
        register_source(settings)
        yield connection


@pytest.fixture
def other_source(settings):
    """A small source of its own in the same stack: its connection, and the environment that makes a run drain it."""
    name = f"other_{uuid.uuid4().hex[:8]}"
    with connect(settings.postgres) as connection:
        connection.autocommit = True
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    own = settings.model_copy(
        update={
            "postgres": settings.postgres.model_copy(update={"database": name}),
            "cdc": settings.cdc.model_copy(update={"source": name}),
        }
    )
    with connect(own.postgres) as connection:
        connection.autocommit = True
        connection.execute("CREATE TABLE steady (id int PRIMARY KEY); CREATE TABLE changing (id int PRIMARY KEY)")
        register_source(own)
        yield own, connection


HOLDER = """
import os, signal, sys
from prefect import flow
from tasks.concurrency import source_lock

@flow
def hold():
    with source_lock(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)

hold()
"""


@pytest.fixture(scope="session")
def killed_holder(settings):
    """A source whose turn was paused by a flow that was killed; asked for early, it is free again without waiting."""
    source = f"killed_{uuid.uuid4().hex[:8]}"
    environment = os.environ | {"PREFECT_API_URL": settings.prefect.api_url}
    assert (
        subprocess.run([sys.executable, "-c", HOLDER, source], cwd=ROOT, env=environment, check=False).returncode == -9
    )
    return source
