"""Which services a state folder needs, given what the user has already."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from connectors.errors import ConfigurationError
from connectors.settings import AwsSettings, ConnectSettings, KafkaSettings, PostgresSettings, PrefectSettings, Settings
from deployments.stack.aws import ACCESS_KEY, REGION, AwsService
from deployments.stack.connect import ConnectService
from deployments.stack.kafka import KafkaService
from deployments.stack.ports import HOST
from deployments.stack.postgres import ADMIN, PostgresService
from deployments.stack.prefect_server import PrefectServerService
from deployments.stack.service import Service
from deployments.stack.worker import WorkerService

PORTS = ("postgres", "kafka", "kafka_controller", "connect", "prefect", "aws")


def plan_services(home: Path, settings: Settings, *, ports: Mapping[str, int], with_aws: bool = False) -> list[Service]:
    """The services to run, each after those it depends on.

    Args:
        home: The state folder.
        settings: What the user has set; a service whose address is set there is not started.
        ports: Port by name; one that is missing is not known yet.
        with_aws: Also S3 and DynamoDB, unless the settings name others.
    """
    port = {name: ports.get(name, 0) for name in PORTS}
    kafka = KafkaService(home / "kafka", port=port["kafka"], controller_port=port["kafka_controller"])
    brokers = settings.kafka.bootstrap_servers
    prefect = PrefectServerService(home / "prefect", port=port["prefect"])
    api_url = settings.prefect.api_url
    worker = WorkerService(
        home / "worker", home=home, api_url=api_url or prefect.api_url, server=prefect if api_url is None else None
    )
    services: list[Service] = []
    if settings.postgres.host is None:
        services.append(PostgresService(home / "postgres", port=port["postgres"]))
    if brokers is None:
        services.append(kafka)
    if settings.connect.url is None:
        services.append(
            ConnectService(home / "connect", port=port["connect"], bootstrap_servers=brokers or kafka.address)
        )
    if with_aws and settings.aws.endpoint_url is None:
        services.append(AwsService(home / "aws", port=port["aws"]))
    if api_url is None:
        services.append(prefect)
    return [*services, worker]


def all_services(home: Path, settings: Settings, *, ports: Mapping[str, int]) -> list[Service]:
    """Every service that may run for the state folder, also those the settings leave out now."""
    nothing_set = {
        "postgres": PostgresSettings(),
        "kafka": KafkaSettings(),
        "connect": ConnectSettings(),
        "prefect": PrefectSettings(),
        "aws": AwsSettings(),
    }
    return plan_services(home, settings.model_copy(update=nothing_set), ports=ports, with_aws=True)


def external_addresses(settings: Settings) -> dict[str, str]:
    """Address by name of the services that the user has, and the stack therefore leaves out."""
    postgres = settings.postgres
    found = {
        "postgres": None if postgres.host is None else f"{postgres.host}:{postgres.port}",
        "kafka": settings.kafka.bootstrap_servers,
        "connect": settings.connect.url,
        "aws": settings.aws.endpoint_url,
        "prefect": settings.prefect.api_url,
    }
    return {name: address for name, address in found.items() if address is not None}


def settings_tree(services: Sequence[Service], *, database: str) -> dict[str, Any]:
    """The addresses of running services, as the partial tree of settings that `stack.json` holds."""
    tree: dict[str, Any] = {}
    for service in services:
        match service:
            case PostgresService():
                tree["postgres"] = {
                    "host": HOST,
                    "port": service.port,
                    "user": ADMIN,
                    "password": service.password,
                    "database": database,
                }
            case KafkaService():
                tree["kafka"] = {"bootstrap_servers": service.address}
            case ConnectService():
                tree["connect"] = {"url": service.address}
            case AwsService():
                tree["aws"] = {
                    "endpoint_url": service.address,
                    "region": REGION,
                    "access_key_id": ACCESS_KEY,
                    "secret_access_key": ACCESS_KEY,
                }
            case PrefectServerService():
                tree["prefect"] = {"api_url": service.api_url}
    return tree


def check_settings(settings: Settings) -> None:
    """Checks that settings of the database name one: without a host the stack's own has its own user and port.

    Raises:
        ConfigurationError: A port, user or password is set, but no host.
    """
    lost = settings.postgres.model_fields_set & {"port", "user", "password"}
    if settings.postgres.host is None and lost:
        name = sorted(lost)[0].upper()
        raise ConfigurationError(
            f"LAKEHOUSE_POSTGRES__{name} is set, but LAKEHOUSE_POSTGRES__HOST is not",
            hint="Set the host of your database too, or unset both to let the stack start one.",
        )
