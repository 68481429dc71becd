"""A worker runs the flows in containers of the image: as another user, with nothing to write but their mounts.

`make test-docker` builds the image and names it in LAKEHOUSE_IMAGE.
"""

import os
import shutil
import subprocess
import sys

import pytest
from prefect.client.orchestration import get_client
from prefect.deployments import run_deployment

from connectors.lake.reader import open_reader
from connectors.postgres.replication import emit_marker
from connectors.synthetic import TABLES, count_rows
from deployments.deploy import apply_changes, make_pool, plan_changes
from deployments.targets import TARGETS
from deployments.validate import PREFECT_FILE, load_deployments

DOCKER = TARGETS["docker"]
# Now: the stack is started without the settings of whoever starts the test.
IMAGE = os.environ["LAKEHOUSE_IMAGE"]


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


def test_drain_completes_in_a_container(settings, shop, mounts):
    lake, volumes = mounts
    with get_client(sync_client=True) as client:
        # The stack listens on loopback alone, so its containers share the host's network.
        make_pool(client, DOCKER, {"volumes": volumes, "network_mode": "host", "image_pull_policy": "Never"})
        apply_changes(
            client, plan_changes(client, load_deployments(PREFECT_FILE, DOCKER.variables(IMAGE)), DOCKER, version="1")
        )
        run = run_deployment(
            "drain-cdc/docker", parameters={"through_lsn": emit_marker(shop)}, timeout=0, as_subflow=False
        )
        worker = [sys.executable, "-m", "prefect", "worker", "start", "--pool", DOCKER.name, "--type", "docker"]
        own = {"PREFECT_API_URL": settings.prefect.api_url}
        subprocess.run([*worker, "--run-once"], env=os.environ | own, check=True, timeout=240)
        state = client.read_flow_run(run.id).state
    assert state.is_completed(), state
    with open_reader(
        settings.model_copy(update={"lake": settings.lake.model_copy(update={"root": str(lake)})})
    ) as reader:
        rows = {table: reader.execute(f"SELECT count(*) FROM silver.{table}").fetchone()[0] for table in TABLES}
    assert rows == count_rows(shop)
    assert {path.stat().st_uid for path in (lake / "silver").rglob("*")} == {10001}
