"""Takes a new snapshot of one table while changes of all tables keep being captured.

A second connector reads the table's rows into the table's own topic and ends. Each row says behind which marker it
was read: it beats what was committed before that marker, and whatever was committed after it beats the row.
"""

from connectors.cdc.drain import drain_source
from connectors.cdc.rebuild import rebuild_checked
from connectors.cdc.reports import RebuildReport
from connectors.changes.order import Position
from connectors.debezium.config import connector_config, publication_name, snapshot_config
from connectors.debezium.connect import ConnectClient
from connectors.errors import ConfigurationError, SourceNotReady
from connectors.lake.bronze import BronzeLog
from connectors.lake.contract_log import latest_versions, record_contracts
from connectors.lake.epoch_log import SlotEpoch, current_slot_epoch
from connectors.lake.layout import LakeLayout
from connectors.lake.silver.baseline import Baseline, BaselineKind
from connectors.postgres.catalog import CatalogTable, read_tables
from connectors.postgres.checks import check_tables, require_ready
from connectors.postgres.connection import Connection, connect
from connectors.postgres.contracts import TableContract
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import emit_marker, has_rows, published_tables
from connectors.settings import Settings

# A connector that fails ends the wait at once: this is for one that hangs.
_SNAPSHOT_SECONDS = 24 * 60 * 60


def resync_table(settings: Settings, table: TableName) -> RebuildReport:
    """Takes a new snapshot of a table, with its current columns, and replaces silver by it in one commit.

    Readers see the old rows until then. After a kill, run it again; nothing is lost.

    Raises:
        ConfigurationError: The table is not captured.
        ContractMismatch: The table changed again while it was read.
        SourceNotReady: The table has no primary key, or could not be read.
        ServiceUnavailable: A service did not answer in time.
    """
    drain_source(settings, through_lsn=take_snapshot(settings, table))
    return rebuild_checked(settings, table)


def take_snapshot(settings: Settings, table: TableName) -> int:
    """Writes a snapshot of a captured table into its topic; returns the LSN of a marker behind it.

    Raises:
        CommitConflict: Another run began to read the table, too.
        ConfigurationError: The table is not captured.
        SourceNotReady: The table has no primary key, or could not be read.
        ServiceUnavailable: A service did not answer in time.
    """
    layout = LakeLayout.of(settings)
    slot_epoch = current_slot_epoch(layout)
    with connect(settings.postgres) as connection, ConnectClient(settings.connect.url) as client:
        found = _captured(connection, settings, table)
        if slot_epoch is None or found is None:
            raise ConfigurationError(
                f"{table} is not a captured table of source {settings.cdc.source!r}",
                hint="see `lakehouse source status`; `lakehouse source register` captures it",
            )
        require_ready(check_tables([found], role=settings.postgres.user, published=[table]))
        # Asked before the marker is written: whatever is in bronze by now was committed before it.
        batch = BronzeLog(layout).batch
        after = emit_marker(connection)
        if has_rows(connection, table):
            require_key(found.contract)
            _read(client, settings, found, slot_epoch, after=after)
        behind = emit_marker(connection)
        baseline = Baseline(BaselineKind.RESYNC, batch, Position(slot_epoch.epoch, after, 0, 0))
        if not record_contracts(layout, [found.contract], behind, baseline=baseline, force=True):
            # A resync that began later has ended already: the table starts from that one.
            behind = max(behind, latest_versions(layout)[table].baseline.complete_at.lsn)
    return behind


def require_key(contract: TableContract) -> None:
    """Does nothing if a table has a primary key.

    Raises:
        SourceNotReady: It has none.
    """
    if not contract.key:
        raise SourceNotReady(
            f"{contract.table} has no primary key: rows of a snapshot beside the stream would count twice",
            hint="run `lakehouse source remove --yes`, then `lakehouse source register`: it snapshots all tables",
        )


def _captured(connection: Connection, settings: Settings, table: TableName) -> CatalogTable | None:
    publication = publication_name(settings.cdc.source)
    if table not in (published_tables(connection, publication) or ()):
        return None
    return next(iter(read_tables(connection, [table], publication=publication)), None)


def _read(client: ConnectClient, settings: Settings, table: CatalogTable, slot_epoch: SlotEpoch, *, after: int) -> None:
    """Runs the connector that writes the snapshot."""
    capturing = connector_config(settings, [table], epoch=slot_epoch.epoch, placeholder=slot_epoch.placeholder)
    config = snapshot_config(capturing, settings.cdc.source, table.contract.table, after=after)
    name = config["name"]
    _forget(client, name)
    client.create_stopped(name, config)
    client.resume(name)
    client.wait_for_snapshot(name, timeout=_SNAPSHOT_SECONDS, config=config)
    _forget(client, name)


def _forget(client: ConnectClient, name: str) -> None:
    if client.config(name) is not None:
        client.stop(name)
        client.reset_offset(name)
        client.delete(name)
