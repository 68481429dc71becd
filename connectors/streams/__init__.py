"""Streams that carry change events."""

from connectors.errors import ConfigurationError
from connectors.settings import Settings
from connectors.streams.kafka import KafkaStream
from connectors.streams.memory import MemoryLog, MemoryStream
from connectors.streams.protocol import ChangeStream, Positions, RawBatch, StreamPartition

__all__ = [
    "ChangeStream",
    "KafkaStream",
    "MemoryLog",
    "MemoryStream",
    "Positions",
    "RawBatch",
    "StreamPartition",
    "open_stream",
]


def open_stream(settings: Settings) -> ChangeStream:
    """Opens the stream that the settings name.

    Raises:
        ConfigurationError: They name none.
    """
    servers = settings.kafka.bootstrap_servers
    if servers is None:
        raise ConfigurationError(
            "there is no stream to read", hint="run `lakehouse up`, or set LAKEHOUSE_KAFKA__BOOTSTRAP_SERVERS"
        )
    return KafkaStream(servers, source=settings.cdc.source)
