"""The stack of the end-to-end tests; the flows run in containers beside it."""

from tests.e2e.conftest import settings, shop

__all__ = ["settings", "shop"]
