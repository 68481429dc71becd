"""A worker runs the flows in containers of the image: as another user, with nothing to write but their mounts."""

import os
import shutil
import socket
import subprocess
import sys

import pytest
from prefect.client.orchestration import get_client
from prefect.deployments import run_deployment

from connectors.lake.reader import open_reader
from connectors.postgres.lsn import format_lsn
from connectors.postgres.replication import emit_marker
from connectors.synthetic import TABLES, count_rows
from deployments.deploy import apply_changes, make_pool, plan_changes
from deployments.targets import PREFECT_FILE, TARGETS
from deployments.validate import load_deployments
from tests.docker.engine import can, docker

DOCKER = TARGETS["docker"]
# The user of docker/Dockerfile.
USER = 10001
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def near_image(image, tmp_path_factory):
    """The image, where its containers see the folders and the loopback of this machine, as the stack needs it."""
    folder = tmp_path_factory.mktemp("probe")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        (folder / "port").write_text(str(listening.getsockname()[1]))
        connect = "import socket; socket.create_connection(('127.0.0.1', int(open('/probe/port').read())), 10)"
        probe = ["--network", "host", "--user", "0", "--volume", f"{folder}:/probe:ro", image, "python", "-c", connect]
        if not can("run", "--rm", *probe, within=60):
            pytest.skip("the engine is not on this machine's own network and disk: the Docker worker is not tested")
    return image


@pytest.fixture
def mounts(settings, shop, tmp_path_factory):
    """What the containers see of this machine: the lake, and a file of settings that holds the password."""
    folder = tmp_path_factory.mktemp("docker")
    lake = folder / "lake"
    shutil.copytree(settings.lake.root, lake)
    for path in (lake, *lake.rglob("*")):
        path.chmod(0o777)  # the user of the containers is another one
    postgres = settings.postgres
    lines = {
        "LAKEHOUSE_POSTGRES__HOST": postgres.host,
        "LAKEHOUSE_POSTGRES__PORT": postgres.port,
        "LAKEHOUSE_POSTGRES__USER": postgres.user,
        "LAKEHOUSE_POSTGRES__PASSWORD": postgres.password.get_secret_value(),
        "LAKEHOUSE_POSTGRES__DATABASE": postgres.database,
        "LAKEHOUSE_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "LAKEHOUSE_LAKE__ROOT": "/lake",
    }
    (folder / "settings.env").write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    return lake, [f"{lake}:/lake", f"{folder / 'settings.env'}:/opt/lakehouse/.env:ro"]


@pytest.fixture
def pool(near_image, settings, mounts):
    """The work pool, with the flows deployed to it."""
    _, volumes = mounts
    with get_client(sync_client=True) as client:
        # The stack listens on loopback alone, so its containers share the host's network.
        make_pool(client, DOCKER, {"volumes": volumes, "network_mode": "host", "image_pull_policy": "Never"})
        found = load_deployments(PREFECT_FILE, DOCKER.variables(near_image))
        apply_changes(client, plan_changes(client, found, DOCKER, version="1"))
        yield client
        client.delete_work_pool(DOCKER.name)


def run_in_container(client, settings, deployment, **how):
    """The state in which a run ended, once its worker and its container have."""
    run = run_deployment(deployment, timeout=0, as_subflow=False, **how)
    worker = [
        sys.executable,
        "-m",
        "prefect",
        "worker",
        "start",
        "--pool",
        DOCKER.name,
        "--type",
        "docker",
        "--run-once",
    ]
    subprocess.run(worker, env=os.environ | {"PREFECT_API_URL": settings.prefect.api_url}, check=True, timeout=240)
    ended = client.read_flow_run(run.id)
    _, _, container = ended.infrastructure_pid.rpartition(":")
    docker("rm", container)
    return ended.state


def test_drain_completes_in_a_container(pool, settings, shop, mounts):
    lake, _ = mounts
    state = run_in_container(
        pool, settings, "drain-cdc/drain-docker", parameters={"through_lsn": format_lsn(emit_marker(shop))}
    )
    assert state.is_completed(), state
    there = settings.model_copy(update={"lake": settings.lake.model_copy(update={"root": str(lake)})})
    with open_reader(there) as reader:
        rows = {table: reader.execute(f"SELECT count(*) FROM silver.{table}").fetchone()[0] for table in TABLES}
    assert rows == count_rows(shop)
    assert {path.stat().st_uid for path in (lake / "silver").rglob("*")} == {USER}


def test_killed_container_is_a_crashed_run(pool, settings):
    # As when it is out of memory: the run itself can't say so any more.
    killed = {"command": "python -c 'import os; os.kill(os.getpid(), 9)'"}
    state = run_in_container(pool, settings, "reconcile-tables/reconcile-docker", job_variables=killed)
    assert state.is_crashed(), state
    assert "137" in state.message
