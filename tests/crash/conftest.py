"""The services of the integration tests."""

from tests.integration.conftest import connect, database, kafka, settings, stack_services

__all__ = ["connect", "database", "kafka", "settings", "stack_services"]
