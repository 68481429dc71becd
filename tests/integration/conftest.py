"""Real services for the integration tests, started once per session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.settings import ConnectSettings, KafkaSettings, PostgresSettings, Settings
from tests.services import StackServices, fresh_database, fresh_settings, shared_services

_LONGEST = ("test_stack_lifecycle", "test_definitions", "test_dbt", "test_foreign_schema", "test_capture_stops")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take longest are first: begun last, they would go on alone."""
    items.sort(key=lambda item: item.path.stem not in _LONGEST)


@pytest.fixture(scope="session")
def stack_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackServices]:
    """PostgreSQL, Kafka and Kafka Connect with Debezium."""
    with shared_services(tmp_path_factory.mktemp("stack")) as services:
        yield services


@pytest.fixture
def database(stack_services: StackServices) -> Iterator[PostgresSettings]:
    """A database for one test."""
    with fresh_database(stack_services) as database:
        yield database


@pytest.fixture
def kafka(stack_services: StackServices) -> KafkaSettings:
    """The broker."""
    return KafkaSettings(bootstrap_servers=stack_services.kafka.address)


@pytest.fixture
def connect(stack_services: StackServices) -> ConnectSettings:
    """Kafka Connect."""
    return ConnectSettings(url=stack_services.connect.address)


@pytest.fixture
def settings(stack_services: StackServices, database: PostgresSettings, tmp_path: Path) -> Iterator[Settings]:
    """All settings for one test."""
    with fresh_settings(stack_services, database, tmp_path / "lake") as settings:
        yield settings


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same settings in the environment, where a command finds them."""
    values = {
        "POSTGRES__HOST": settings.postgres.host,
        "POSTGRES__PORT": str(settings.postgres.port),
        "POSTGRES__USER": settings.postgres.user,
        "POSTGRES__PASSWORD": settings.postgres.password.get_secret_value(),
        "POSTGRES__DATABASE": settings.postgres.database,
        "KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "CONNECT__URL": settings.connect.url,
        "CDC__SOURCE": settings.cdc.source,
        "LAKE__ROOT": settings.lake.root,
    }
    for name, value in values.items():
        monkeypatch.setenv(f"LAKEHOUSE_{name}", value)
