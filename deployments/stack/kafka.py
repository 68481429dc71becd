"""Kafka: one broker in KRaft mode."""

import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from connectors.errors import ServiceUnavailable
from deployments.stack.java import JavaService
from deployments.stack.ports import HOST, is_listening


def cluster_id(number: uuid.UUID) -> str:
    """A cluster's id; never one with a dash in front, which Kafka's tools take for an option."""
    first, *others = number.bytes
    return urlsafe_b64encode(bytes([first & 0x7F, *others])).decode().rstrip("=")


class KafkaService(JavaService):
    """A Kafka broker that is its own controller.

    Args:
        folder: Where topics, configuration and log lie.
        port: Port for clients.
        controller_port: Port of the controller.
    """

    name = "kafka"
    # Compiled lightly: a third less work to start, and a broker moves bytes without looking at them.
    options = ("-Xmx512m", "-XX:TieredStopAtLevel=1")
    main_class = "kafka.Kafka"
    quiet: ClassVar = {"org.apache.kafka.common.config": "warn", "state.change.logger": "warn"}

    def __init__(self, folder: Path, *, port: int, controller_port: int) -> None:
        super().__init__(folder)
        self.port = port
        self.controller_port = controller_port

    @property
    def address(self) -> str:
        """The bootstrap server."""
        return f"{HOST}:{self.port}"

    def properties(self) -> Mapping[str, str]:
        """A broker of one node that keeps everything."""
        listener = f"PLAINTEXT://{self.address}"
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            # Static voters: their address is resynced at every start, so the port may change between two lives.
            "controller.quorum.voters": f"1@{HOST}:{self.controller_port}",
            "listeners": f"{listener},CONTROLLER://{HOST}:{self.controller_port}",
            "advertised.listeners": listener,
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            # Relative to the folder the broker runs in: a comma in an absolute path would make it two.
            "log.dirs": "data",
            "log.retention.ms": "-1",
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "3",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "3",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            # After a killed producer its transaction is closed within a second, and a killed broker is soon back.
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "500",
        }

    def prepare(self) -> None:
        """Formats the data folder when it is new."""
        super().prepare()
        if (self.folder / "data" / "meta.properties").exists():
            return
        tool = [*self.java(*self.options), "kafka.tools.StorageTool", "format"]
        command = [str(part) for part in [*tool, "-t", cluster_id(uuid.uuid4()), "-c", "server.properties"]]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ServiceUnavailable(
                f"kafka could not format {self.folder / 'data'}: {done.stderr or done.stdout}",
                hint="Is the disk full?",
            )

    def is_ready(self) -> bool:
        """Whether the broker answers a client; it accepts connections before."""
        if not is_listening(self.port):
            return False
        try:
            return bool(AdminClient({"bootstrap.servers": self.address}).list_topics(timeout=2).brokers)
        except KafkaException:
            return False
