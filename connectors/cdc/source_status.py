"""The status of a source, and the preflight check before it is registered."""

from dataclasses import dataclass

from connectors.cdc.capture import find_stop
from connectors.debezium.checks import check_stream
from connectors.debezium.config import connector_name, publication_name, slot_name
from connectors.debezium.connect import ConnectClient, ConnectorStatus, snapshot_done
from connectors.lake.epoch_log import current_epoch
from connectors.lake.layout import LakeLayout
from connectors.postgres.catalog import CatalogTable, list_tables, read_tables
from connectors.postgres.checks import Finding, check_patterns, check_publication, check_server, check_tables
from connectors.postgres.connection import Connection, connect
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import SlotState, narrowed_tables, published_tables, read_slot
from connectors.postgres.type_checks import check_types
from connectors.settings import Settings


@dataclass(frozen=True)
class SourceStatus:
    """The status of a source.

    Attributes:
        connector: The connector's state; None if it is not registered.
        snapshot_done: Whether the initial snapshot is in the stream.
        slot: The replication slot's state; None if there is none.
        epoch: The slot epoch; None before the first registration.
        tables: Tables that the publication publishes completely.
        stopped: Why changes come no more, and what to do; None: they do.
    """

    connector: ConnectorStatus | None
    snapshot_done: bool
    slot: SlotState | None
    epoch: int | None
    tables: tuple[TableName, ...]
    stopped: str | None = None

    @property
    def captured(self) -> bool:
        """Changes of the source are being captured now."""
        return self.stopped is None and self.connector is not None and self.connector.running


def check_source(settings: Settings) -> list[Finding]:
    """Runs the preflight check: what keeps the source from being captured safely.

    Raises:
        ConfigurationError: The database can't be reached with these settings.
        ServiceUnavailable: The database does not answer.
    """
    with connect(settings.postgres) as connection:
        return preflight_check(connection, settings, tables_to_capture(connection, settings))


def source_status(settings: Settings) -> SourceStatus:
    """Reads the status of the source from the database, Kafka Connect and the lake."""
    source, stopped = settings.cdc.source, find_stop(settings)
    with connect(settings.postgres) as connection, ConnectClient(settings.connect.url) as client:
        connector = client.status(connector_name(source))
        return SourceStatus(
            connector=connector,
            snapshot_done=connector is not None and snapshot_done(client.offset(connector_name(source))),
            slot=read_slot(connection, slot_name(source)),
            epoch=current_epoch(LakeLayout(settings.lake.root, source)),
            tables=tuple(published_tables(connection, publication_name(source)) or ()),
            stopped=None if stopped is None else str(stopped),
        )


def tables_to_capture(connection: Connection, settings: Settings) -> list[CatalogTable]:
    """Returns the tables that the settings select."""
    return read_tables(connection, list_tables(connection, settings.cdc.tables))


def preflight_check(connection: Connection, settings: Settings, tables: list[CatalogTable]) -> list[Finding]:
    """Returns blockers and warnings of a source and of the tables to capture."""
    source = settings.cdc.source
    narrowed = narrowed_tables(connection, publication_name(source)) or {}
    return [
        *check_server(connection, read_slot(connection, slot_name(source))),
        *check_publication(narrowed),
        *check_patterns(settings.cdc.tables, [table.contract.table for table in tables]),
        *check_tables(
            tables,
            role=settings.postgres.user,
            published=[table for table, omitted in narrowed.items() if not omitted],
        ),
        *check_types(connection, tables),
        *check_stream(source, tables),
    ]
