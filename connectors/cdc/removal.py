"""Ends the capture of a source, and deletes silver tables whose capture has ended."""

from collections.abc import Sequence

import psycopg

from connectors.cdc.resync import readers
from connectors.debezium.config import connector_name, publication_name, slot_name
from connectors.debezium.connect import ConnectClient
from connectors.errors import ConfigurationError, LakehouseError
from connectors.lake.contract_log import registered_versions
from connectors.lake.layout import LakeLayout
from connectors.lake.storage import delete_table, open_table
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName
from connectors.postgres.patterns import select
from connectors.postgres.replication import drop_publication, drop_slot, published_tables, read_slot
from connectors.settings import Settings


def remove_source(settings: Settings, *, dry_run: bool = True) -> list[str]:
    """Removes connector, slot and publication; returns what there was of them. The lake and the topics stay.

    Args:
        settings: The source.
        dry_run: Only say what would be removed.

    Raises:
        ConfigurationError: The user lacks a right; capture goes on.
        ServiceUnavailable: A service did not answer, or somebody else reads from the slot.
    """
    source = settings.cdc.source
    connector, slot, publication = connector_name(source), slot_name(source), publication_name(source)
    with connect(settings.postgres) as connection, ConnectClient(settings.connect.url) as client:
        others = readers(client, source)
        found = {
            f"connector {connector} and its offset": client.config(connector) is not None,
            f"replication slot {slot}": read_slot(connection, slot) is not None,
            f"publication {publication}": published_tables(connection, publication) is not None,
            **{f"connector {name} of a resync": True for name in others},
        }
        removed = [what for what, exists in found.items() if exists]
        if dry_run:
            return removed
        before = client.status(connector)
        client.stop(connector)
        try:
            with connection.transaction():
                drop_publication(connection, publication)
                drop_slot(connection, slot)
        except (psycopg.Error, LakehouseError):
            # Half of it would be nothing that anybody wants.
            if before is not None and before.state not in ("PAUSED", "STOPPED"):
                client.resume(connector)
            raise
        for name in (*others, connector):
            client.remove(name)
    return removed


def forget_tables(settings: Settings, patterns: Sequence[str], *, dry_run: bool = True) -> list[TableName]:
    """Deletes silver of tables that are captured no more; returns which. What bronze has of them stays.

    Args:
        settings: The lake.
        patterns: Which, as `schema.table` patterns.
        dry_run: Only say what would be deleted.

    Raises:
        ConfigurationError: None is meant, or one that is captured.
    """
    layout = LakeLayout.of(settings)
    versions = registered_versions(layout)
    meant = select(patterns, versions)
    captured = [table for table in meant if versions[table].contract.captured]
    if captured or not meant:
        what = "is captured" if captured else "is known of"
        raise ConfigurationError(
            f"{', '.join(map(str, captured)) or 'no table'} {what}: only tables that are not captured are forgotten",
            hint="leave it out with LAKEHOUSE_CDC__TABLES='*.*,!schema.table', then run `lakehouse source register`",
        )
    there = [table for table in meant if open_table(layout.silver(table)) is not None]
    if not dry_run:
        for table in there:
            for address in (layout.current, layout.rebuild, layout.trial, layout.snapshot, layout.silver):
                delete_table(address(table))
    return there
