"""The status of a source, and the preflight check before it is registered."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.cdc.capture import look_at_capture
from connectors.debezium.checks import check_stream
from connectors.debezium.config import connector_config, publication_name, slot_name
from connectors.debezium.connect import ConnectorStatus
from connectors.lake.epoch_log import current_epoch
from connectors.lake.layout import LakeLayout, view_name
from connectors.postgres.catalog import CatalogTable, list_tables, read_tables
from connectors.postgres.checks import (
    EXCLUDE,
    Finding,
    check_patterns,
    check_publication,
    check_server,
    check_tables,
    left_out,
)
from connectors.postgres.connection import Connection, connect
from connectors.postgres.identifiers import TableName
from connectors.postgres.large_rows import find_large_rows
from connectors.postgres.replication import (
    SlotState,
    narrowed_tables,
    open_transactions,
    published_tables,
    read_slot,
)
from connectors.postgres.type_checks import check_types
from connectors.settings import LARGEST_MESSAGE, Settings

_LONG_TRANSACTION_SECONDS = 60
_PLACEHOLDER_LENGTH = 64
_LARGEST_CONFIG = 1_000_000
_ROWS_SECONDS = 1


@dataclass(frozen=True)
class SourceStatus:
    """The status of a source.

    Attributes:
        connector: The connector's state; None if it is not registered.
        snapshot_done: Whether the initial snapshot is in the stream.
        slot: The replication slot's state; None if there is none.
        epoch: The slot epoch; None before the first registration.
        tables: Tables that the publication publishes completely.
        says: What capture is at, in words; empty if it has stopped.
        stopped: Why changes come no more, and what to do; None: they do.
    """

    connector: ConnectorStatus | None
    snapshot_done: bool
    slot: SlotState | None
    epoch: int | None
    tables: tuple[TableName, ...]
    says: str = ""
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
        tables = tables_to_capture(connection, settings)
        names = [table.contract.table for table in tables]
        return [*preflight_check(connection, settings, tables), *left_out(connection, settings.cdc.tables, names)]


def source_status(settings: Settings) -> SourceStatus:
    """Reads the status of the source from the database, Kafka Connect and the lake."""
    source, found = settings.cdc.source, look_at_capture(settings)
    with connect(settings.postgres) as connection:
        return SourceStatus(
            connector=found.connector,
            snapshot_done=found.snapshot_done,
            slot=found.slot,
            epoch=current_epoch(LakeLayout(settings.lake.root, source)),
            tables=tuple(published_tables(connection, publication_name(source)) or ()),
            says=found.says,
            stopped=None if found.stopped is None else str(found.stopped),
        )


def tables_to_capture(connection: Connection, settings: Settings) -> list[CatalogTable]:
    """Returns the tables that the settings select."""
    return read_tables(connection, list_tables(connection, settings.cdc.tables))


def preflight_check(connection: Connection, settings: Settings, tables: list[CatalogTable]) -> list[Finding]:
    """Returns blockers and warnings of a source and of the tables to capture."""
    source = settings.cdc.source
    slot = read_slot(connection, slot_name(source))
    narrowed = narrowed_tables(connection, publication_name(source)) or {}
    return [
        *check_server(connection, slot),
        *(_transaction_findings(connection) if slot is None else ()),
        *check_publication(narrowed),
        *check_patterns(settings.cdc.tables, [table.contract.table for table in tables]),
        *check_tables(
            tables,
            role=settings.postgres.user,
            published=[table for table, omitted in narrowed.items() if not omitted],
        ),
        *check_types(connection, tables),
        *check_stream(source, tables),
        *_view_findings([table.contract.table for table in tables]),
        *_size_findings(settings, tables),
        *_row_findings(connection, settings, tables),
    ]


def _transaction_findings(connection: Connection) -> list[Finding]:
    """No replication slot can be made before the transactions that are open now have ended."""
    problem = "has been open for {0:.0f} min: until it ends, no replication slot can be made"
    return [
        Finding("warning", found.name, problem.format(found.seconds / 60), f"wait, or end it: {found.end}")
        for found in open_transactions(connection)
        if found.seconds > _LONG_TRANSACTION_SECONDS
    ]


def _view_findings(tables: Sequence[TableName]) -> list[Finding]:
    """Checks that no two tables would be read by one name."""
    taken: dict[str, TableName] = {}
    findings = []
    for table in tables:
        other = taken.setdefault(view_name(table).casefold(), table)
        if other != table:
            problem = f"would be read as silver.{view_name(table)}, as {other} is: no view of the lake could be opened"
            fix = f"ALTER TABLE {table.quoted} RENAME TO ...; -- or leave one out of LAKEHOUSE_CDC__TABLES"
            findings.append(Finding("blocker", str(table), problem, fix))
    return findings


def _row_findings(connection: Connection, settings: Settings, tables: Sequence[CatalogTable]) -> list[Finding]:
    """Checks that every row fits into a message, and an update of it, which may say what it was before, too."""
    limit = settings.cdc.message_bytes
    contracts = [table.contract for table in tables if table.readable and not table.has_children]
    found = find_large_rows(connection, contracts, over=limit // 2, seconds=_ROWS_SECONDS)
    findings = []
    for row in found.rows:
        fits = row.size <= limit
        problem = f"with {row.key} takes some {row.size / 2**20:.1f} MiB of a message, which may have {limit / 2**20:g}"
        wanted = 2 ** (2 * row.size).bit_length()
        fix = f"set LAKEHOUSE_CDC__MESSAGE_BYTES={wanted}, or make the row smaller"
        if wanted > LARGEST_MESSAGE:
            fix = f"make the row smaller, or {EXCLUDE}: no message may have more than {LARGEST_MESSAGE / 2**20:g} MiB"
        findings.append(Finding("warning" if fits else "blocker", f"{row.table}: the row", problem, fix))
    problem = f"was not looked through for rows over {limit / 2**20:g} MiB: it takes more than {_ROWS_SECONDS} s"
    findings += [Finding("note", str(t), problem, "one would stop capture, and be named then") for t in found.unread]
    return findings


def _size_findings(settings: Settings, tables: Sequence[CatalogTable]) -> list[Finding]:
    """Checks that Kafka Connect can keep the connector's configuration, which is one message."""
    config = connector_config(settings, list(tables), epoch=1, placeholder="x" * _PLACEHOLDER_LENGTH)
    size = len(json.dumps(config))
    if size <= _LARGEST_CONFIG:
        return []
    problem = f"takes {size / 1e6:.1f} MB for {len(tables)} tables, and Kafka Connect keeps no more than 1 MB"
    fix = "capture schemas as sources of their own: LAKEHOUSE_CDC__SOURCE and LAKEHOUSE_CDC__TABLES for each"
    return [Finding("blocker", "the connector's configuration", problem, fix)]
