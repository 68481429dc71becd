"""Real services, and fresh sources in them, for tests and for the torture run."""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import sql
from psycopg.errors import ObjectInUse
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from connectors.debezium.config import connector_name
from connectors.debezium.connect import ConnectClient
from connectors.settings import (
    CdcSettings,
    ConnectSettings,
    KafkaSettings,
    LakeSettings,
    PostgresSettings,
    Settings,
)
from deployments.stack.connect import ConnectService
from deployments.stack.kafka import KafkaService
from deployments.stack.ports import pick_ports
from deployments.stack.postgres import ADMIN, PostgresService
from deployments.stack.start import start_together, stop_in_order

SHARED_STACK = "LAKEHOUSE_TEST_STACK"
"""Variable that says where the stack is that all tests share, in JSON."""


@dataclass(frozen=True)
class StackServices:
    """The running services."""

    postgres: PostgresService
    kafka: KafkaService
    connect: ConnectService


@contextmanager
def running_services(folder: Path) -> Iterator[StackServices]:
    """PostgreSQL, Kafka and Kafka Connect with Debezium; stopped and deleted at the end."""
    found = _services(folder, pick_ports(["postgres", "kafka", "kafka_controller", "connect"]))
    services = [found.postgres, found.kafka, found.connect]
    try:
        start_together(services)
        yield found
    finally:
        stop_in_order(services)
        found.postgres.delete_data()


@contextmanager
def shared_services(folder: Path) -> Iterator[StackServices]:
    """The services that whoever runs the tests has started; such of one's own, in a folder, if there are none."""
    known = os.environ.get(SHARED_STACK)
    if known is None:
        with running_services(folder) as services:
            yield services
    else:
        yield _services(**json.loads(known))


def shared(services: StackServices) -> dict[str, Any]:
    """What `SHARED_STACK` says of services, to be written as JSON."""
    ports = {
        "postgres": services.postgres.port,
        "kafka": services.kafka.port,
        "kafka_controller": services.kafka.controller_port,
        "connect": services.connect.port,
    }
    return {"folder": str(services.kafka.folder.parent), "ports": ports}


def _services(folder: Path | str, ports: dict[str, int]) -> StackServices:
    folder = Path(folder)
    kafka = KafkaService(folder / "kafka", port=ports["kafka"], controller_port=ports["kafka_controller"])
    return StackServices(
        PostgresService(folder / "postgres", port=ports["postgres"]),
        kafka,
        ConnectService(folder / "connect", port=ports["connect"], bootstrap_servers=kafka.address),
    )


@contextmanager
def fresh_database(services: StackServices) -> Iterator[PostgresSettings]:
    """A fresh, empty database; dropped with its replication slots at the end."""
    postgres = services.postgres
    name = f"test_{uuid.uuid4().hex[:12]}"
    postgres.create_database(name)
    try:
        yield PostgresSettings(
            host="127.0.0.1", port=postgres.port, user=ADMIN, password=postgres.password, database=name
        )
    finally:
        # A connector that is being deleted may take its slot once more.
        for attempt in Retrying(
            retry=retry_if_exception_type(ObjectInUse), stop=stop_after_delay(60), wait=wait_fixed(0.2)
        ):
            with attempt:
                _drop(postgres, name)


@contextmanager
def fresh_settings(services: StackServices, database: PostgresSettings, root: Path) -> Iterator[Settings]:
    """All settings, with a source name and a lake of their own; the connector is deleted at the end."""
    connect = ConnectSettings(url=services.connect.address)
    settings = Settings(
        postgres=database,
        kafka=KafkaSettings(bootstrap_servers=services.kafka.address),
        connect=connect,
        cdc=CdcSettings(source=f"t{uuid.uuid4().hex[:12]}"),
        lake=LakeSettings(root=str(root)),
    )
    try:
        yield settings
    finally:
        with ConnectClient(connect.url) as client:
            client.delete(connector_name(settings.cdc.source))


def _drop(postgres: PostgresService, database: str) -> None:
    with postgres.connect() as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
        connection.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = %s", [database]
        )
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))
