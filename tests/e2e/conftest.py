"""The whole stack as `lakehouse up` starts it, with a small shop that is captured; started once per session."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from connectors.postgres.connection import connect
from connectors.settings import load_settings
from connectors.source import register_source
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
