"""What tests that take long share with the integration tests."""

from tests.integration.conftest import stack_services

__all__ = ["stack_services"]
