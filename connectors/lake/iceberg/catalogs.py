"""Where the Iceberg tables are registered: a file of SQLite, the Glue Catalog, or a REST catalogue."""

import os
from typing import TYPE_CHECKING, Any

from connectors.errors import ConfigurationError
from connectors.lake.layout import LakeLayout
from connectors.lake.storage import is_remote
from connectors.settings import Settings

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

_INSTALL = "pip install 'lakehouse-flows[iceberg]'"


def open_catalog(settings: Settings) -> "Catalog":
    """Opens the catalogue that the settings name.

    Raises:
        ConfigurationError: pyiceberg is not installed, or an address is missing.
    """
    try:
        from pyiceberg.catalog import load_catalog  # noqa: PLC0415 - an extra, and it takes half a second
    except ImportError as error:
        raise ConfigurationError("Iceberg tables need pyiceberg", hint=_INSTALL) from error
    return load_catalog("lakehouse", **_properties(settings))


def _properties(settings: Settings) -> dict[str, Any]:
    wanted, aws = settings.iceberg, settings.aws
    properties: dict[str, Any] = {"type": wanted.catalog, "warehouse": warehouse(settings)}
    if wanted.catalog == "sql":
        settings.home.mkdir(parents=True, exist_ok=True)
        properties["uri"] = wanted.uri or f"sqlite:///{settings.home / 'iceberg.db'}"
    elif wanted.catalog == "rest":
        if wanted.uri is None:
            raise ConfigurationError("a REST catalogue needs an address", hint="set LAKEHOUSE_ICEBERG__URI")
        properties["uri"] = wanted.uri
        if wanted.token is not None:
            properties["token"] = wanted.token.get_secret_value()
    given = {
        # pyiceberg knows neither of these variables.
        "endpoint": aws.endpoint_url or os.environ.get("AWS_ENDPOINT_URL"),
        "region": aws.region or os.environ.get("AWS_REGION"),
        "access-key-id": aws.access_key_id,
        "secret-access-key": None if aws.secret_access_key is None else aws.secret_access_key.get_secret_value(),
    }
    for service in ("glue", "s3"):
        properties |= {f"{service}.{name}": value for name, value in given.items() if value is not None}
    return properties


def warehouse(settings: Settings) -> str:
    """Where Iceberg's metadata goes; the data stays where it is."""
    return address(f"{LakeLayout.of(settings).root}/iceberg")


def address(path: str) -> str:
    """An address as all readers of Iceberg take it."""
    return path if is_remote(path) else f"file://{path}"
