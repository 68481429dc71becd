"""Applies a configuration to a connector, and starts it."""

from connectors.debezium.connect import ConnectClient
from connectors.errors import SourceNotReady


def _refuse_forgotten(client: ConnectClient, connector: str) -> None:
    """Without its offset, a connector would read all rows at positions that count less than what silver has."""
    if client.offset(connector) is None:
        client.delete(connector)
        raise SourceNotReady(
            f"Kafka Connect no longer knows how far connector {connector} has read",
            hint="run `lakehouse source remove --yes`, then `lakehouse source register`: it snapshots all tables",
        )


def apply_config(client: ConnectClient, connector: str, config: dict[str, str], *, restart: bool) -> bool:
    """Applies a configuration and starts the connector; returns whether anything had to change."""
    current, status = client.config(connector), client.status(connector)
    if current is None:
        client.create_stopped(connector, config)
        if not restart:
            _refuse_forgotten(client, connector)
    else:
        healthy = status is not None and status.failure is None and status.state not in ("STOPPED", "PAUSED")
        if current == config and healthy and not restart:
            return False
        client.stop(connector)
        client.configure(connector, config)
    if restart:
        client.reset_offset(connector)
    client.resume(connector)
    return True
