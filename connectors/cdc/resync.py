"""Takes a new snapshot of one table while changes of all tables keep being captured.

A connector of its own reads the table's rows into the table's own topic and ends. Each row says behind which marker it
was read: it beats what was committed before that marker, and whatever was committed after it beats the row. Two at once
read side by side, and silver starts from the one that began later. What a killed one leaves behind, the next one ends.
"""

from connectors.cdc.drain import drain_source
from connectors.cdc.rebuild import rebuild_checked
from connectors.cdc.reports import RebuildReport
from connectors.changes.order import Position
from connectors.debezium.config import (
    LSN_DIGITS,
    connector_config,
    publication_name,
    reader_name,
    reader_prefix,
    snapshot_config,
)
from connectors.debezium.connect import ConnectClient
from connectors.errors import CommitConflict, ConfigurationError, SourceNotReady
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
    layout, behind = LakeLayout.of(settings), take_snapshot(settings, table)
    while True:
        drain_source(settings, through_lsn=behind)
        try:
            return rebuild_checked(settings, table)
        except SourceNotReady:
            # A resync that began later may have ended since, and its rows are to be drained, too.
            newest = latest_versions(layout)[table].baseline.complete_at.lsn
            if newest <= behind:
                raise
            behind = newest


def take_snapshot(settings: Settings, table: TableName) -> int:
    """Writes a snapshot of a captured table into its topic; returns the LSN of a marker behind it.

    Raises:
        CommitConflict: The connector that reads the table was deleted meanwhile.
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
        baseline = Baseline(BaselineKind.RESYNC, batch, Position(slot_epoch.epoch, after, 0, 0))
        if has_rows(connection, table):
            require_key(found.contract)
            try:
                _read(client, settings, found, slot_epoch, after=after)
            except CommitConflict:
                # A resync that began later ends the earlier ones when it is done.
                if latest_versions(layout)[table].baseline.position <= baseline.position:
                    raise
        behind = emit_marker(connection)
        if not record_contracts(layout, [found.contract], behind, baseline=baseline, force=True):
            # A resync that began later has ended already: the table starts from that one.
            behind = max(behind, latest_versions(layout)[table].baseline.complete_at.lsn)
        _end_readers(client, settings.cdc.source, table, after=after)
    return behind


def open_readers(settings: Settings) -> list[str]:
    """Names of the connectors that take a snapshot of one table of this source, or that a killed run left behind."""
    with ConnectClient(settings.connect.url) as client:
        return readers(client, settings.cdc.source)


def readers(client: ConnectClient, source: str) -> list[str]:
    """Names of a source's connectors that take a snapshot of one table."""
    return [name for name in client.names() if name.startswith(reader_prefix(source))]


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
    """Makes the connector that writes the snapshot, and waits until it has."""
    capturing = connector_config(settings, [table], epoch=slot_epoch.epoch, placeholder=slot_epoch.placeholder)
    config = snapshot_config(capturing, settings.cdc.source, table.contract.table, after=after)
    name = config["name"]
    client.create_stopped(name, config)
    client.resume(name)
    client.wait_for_snapshot(name, timeout=_SNAPSHOT_SECONDS)


def _end_readers(client: ConnectClient, source: str, table: TableName, *, after: int) -> None:
    """Deletes the connectors of this resync and of those that began earlier: none of them is needed any more."""
    newest = reader_name(source, table, after=after)
    for name in readers(client, source):
        # All of a table's differ in the LSN alone, which is as long in each.
        if name[:-LSN_DIGITS] == newest[:-LSN_DIGITS] and name <= newest:
            client.remove(name)
