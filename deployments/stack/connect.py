"""Kafka Connect with Debezium."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from deployments.stack.java import JavaService
from deployments.stack.ports import HOST, answers

JSON_CONVERTER = "org.apache.kafka.connect.json.JsonConverter"


class ConnectService(JavaService):
    """A Kafka Connect worker that delivers exactly once.

    Args:
        folder: Where configuration and log lie; its data are topics.
        port: Port of the REST interface.
        bootstrap_servers: Brokers to connect to; may come up later than the worker.
    """

    name = "connect"
    # Its time zone is what ranges of timestamps are written in.
    options = ("-Xmx768m", "-Duser.timezone=UTC")
    main_class = "org.apache.kafka.connect.cli.ConnectDistributed"
    quiet: ClassVar = {
        "org.apache.kafka.clients": "warn",
        "org.apache.kafka.common": "warn",
        # It may start before its broker, and would log every attempt.
        "org.apache.kafka.clients.NetworkClient": "error",
        "org.apache.kafka.connect.runtime.isolation": "warn",
        "org.apache.kafka.connect.runtime.rest": "warn",
        "org.eclipse.jetty": "warn",
    }

    def __init__(self, folder: Path, *, port: int, bootstrap_servers: str) -> None:
        super().__init__(folder)
        self.port = port
        self.bootstrap_servers = bootstrap_servers

    @property
    def address(self) -> str:
        """The REST interface."""
        return f"http://{HOST}:{self.port}"

    def properties(self) -> Mapping[str, str]:
        """A worker alone in its group."""
        topics = {
            f"{what}.storage.{key}": value
            for what, key, value in [
                ("offset", "topic", "connect-offsets"),
                ("offset", "partitions", "1"),
                ("config", "topic", "connect-configs"),
                ("status", "topic", "connect-status"),
                ("status", "partitions", "1"),
                *((kind, "replication.factor", "1") for kind in ("offset", "config", "status")),
            ]
        }
        return {
            "bootstrap.servers": self.bootstrap_servers,
            "group.id": "lakehouse-connect",
            "listeners": self.address,
            "rest.advertised.host.name": HOST,
            "exactly.once.source.support": "enabled",
            "connector.client.config.override.policy": "All",
            "plugin.discovery": "service_load",
            "key.converter": JSON_CONVERTER,
            "key.converter.schemas.enable": "false",
            "value.converter": JSON_CONVERTER,
            "value.converter.schemas.enable": "false",
            "header.converter": "org.apache.kafka.connect.storage.SimpleHeaderConverter",
            # A worker that was killed is soon known to be gone, and its connectors move on at once.
            "session.timeout.ms": "6000",
            "heartbeat.interval.ms": "2000",
            "scheduled.rebalance.max.delay.ms": "0",
            **topics,
        }

    def is_ready(self) -> bool:
        """Whether the worker has joined its group and takes connectors."""
        return answers(self.port, "/health")
