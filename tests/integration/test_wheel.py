"""An installed wheel is whole: commands, flows, deployments and the dbt project work without a checkout."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Runs a program of an environment that has the wheel; returns its exit code and all that it printed.

    The environment finds the dependencies in this one, but not the project, which is here by a path file that
    only this one reads.
    """
    folder = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    environment = folder / "environment"
    subprocess.run(
        [sys.executable, "-m", "uv", "venv", "--offline", "--python", sys.executable, environment], check=True
    )
    python = environment / "bin" / "python"
    install = [sys.executable, "-m", "uv", "pip", "install", "--offline", "--no-deps", "--python", python, wheel]
    subprocess.run(install, check=True)
    site = next((environment / "lib").glob("python*")) / "site-packages"
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("LAKEHOUSE_", "PYTHON"))}

    def run(*command):
        done = subprocess.run(
            [environment / "bin" / command[0], *command[1:]],
            cwd=folder,
            env=bare,
            text=True,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return done.returncode, done.stdout

    return run


def test_commands_run(installed):
    code, output = installed("lakehouse", "--help")
    assert (code, "reconcile" in output) == (0, True), output
    code, output = installed("lakehouse", "query", "select 41 + 1 as answer")
    assert (code, "42" in output) == (0, True), output


def test_flows_are_imported_from_the_wheel(installed):
    code, output = installed("python", "-c", "import flows; from flows import drain_cdc; print(flows.__file__)")
    assert code == 0, output
    assert str(ROOT) not in output


def test_dbt_project_comes_along(installed):
    code, output = installed("lakehouse", "backfill", "nothing")
    assert (code, "fct_daily_sales" in output) == (1, True), output
    parse = (
        "from connectors.settings import load_settings; from dbt.cli.main import dbtRunner\n"
        "project = str(load_settings().dbt.project)\n"
        "places = ['--project-dir', project, '--profiles-dir', project, '--target-path', 'dbt', '--log-path', 'dbt']\n"
        "assert dbtRunner().invoke(['parse', *places]).success"
    )
    code, output = installed("python", "-c", parse)
    assert code == 0, output


def test_deployments_are_known(installed):
    code, output = installed("python", "-m", "deployments.validate")
    assert code == 0, output
