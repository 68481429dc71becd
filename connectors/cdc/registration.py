"""A source as a whole: is it ready, register it, how is it, remove it."""

import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from connectors.cdc.contract_check import follow_contracts
from connectors.cdc.lost_positions import forget_lost_positions
from connectors.cdc.merge import misleading_tables
from connectors.cdc.resync import read_anew, require_key
from connectors.changes.order import BEGINNING
from connectors.debezium.checks import check_stream
from connectors.debezium.config import NULLS_AS_DEFAULTS, connector_config, connector_name, publication_name, slot_name
from connectors.debezium.connect import ConnectClient, ConnectorStatus, snapshot_done
from connectors.errors import ConfigurationError, SourceNotReady
from connectors.lake.bronze import BronzeLog
from connectors.lake.contract_log import (
    ContractVersion,
    contract_versions,
    latest_versions,
    record_contracts,
    registered_versions,
)
from connectors.lake.epoch_log import SlotEpoch, current_epoch, current_slot_epoch, ensure_epoch
from connectors.lake.layout import LakeLayout
from connectors.lake.silver.baseline import FIRST_EVENT, PENDING, Baseline, BaselineKind
from connectors.lake.silver.schema import reading_command
from connectors.lake.storage import delete_table, open_table
from connectors.postgres.catalog import CatalogTable, list_tables, read_tables
from connectors.postgres.checks import (
    Finding,
    check_patterns,
    check_publication,
    check_server,
    check_tables,
    require_ready,
)
from connectors.postgres.connection import Connection, connect
from connectors.postgres.contracts import TableContract
from connectors.postgres.identifiers import TableName
from connectors.postgres.patterns import select
from connectors.postgres.replication import (
    SlotState,
    current_lsn,
    drop_publication,
    drop_slot,
    ensure_publication,
    has_rows,
    narrowed_tables,
    published_tables,
    read_identity,
    read_slot,
)
from connectors.postgres.type_checks import check_types
from connectors.settings import Settings

START_SECONDS = 120


@dataclass(frozen=True)
class Registration:
    """What a registration came to.

    Attributes:
        connector: Name of the connector, which runs.
        epoch: Life of the replication slot.
        tables: The captured tables.
        changed: What had to be done; empty if everything was as it should be.
        warnings: Findings that did not stand in the way.
    """

    connector: str
    epoch: int
    tables: tuple[TableName, ...]
    changed: tuple[str, ...]
    warnings: tuple[Finding, ...] = field(default=())


@dataclass(frozen=True)
class SourceStatus:
    """How a source is.

    Attributes:
        connector: The connector's state; None if it is not registered.
        snapshot_done: Whether the first reading of all tables is in the stream.
        slot: The replication slot's state; None if there is none.
        epoch: Life of the slot; None before the first registration.
        tables: Tables that the publication publishes whole.
    """

    connector: ConnectorStatus | None
    snapshot_done: bool
    slot: SlotState | None
    epoch: int | None
    tables: tuple[TableName, ...]

    @property
    def captured(self) -> bool:
        """Changes of the source are being captured now."""
        return self.connector is not None and self.connector.running


def check_source(settings: Settings) -> list[Finding]:
    """Looks for everything that keeps the source from being captured safely.

    Raises:
        ConfigurationError: The database can't be reached with these settings.
        ServiceUnavailable: The database does not answer.
    """
    with connect(settings.postgres) as connection:
        return _check(connection, settings, _captured(connection, settings))


def register_source(settings: Settings, *, timeout: float = START_SECONDS) -> Registration:
    """Makes publication, slot and connector, and waits until the connector runs; twice is like once.

    Raises:
        SourceNotReady: The check found errors, or the connector failed.
        ServiceUnavailable: A service did not answer, or the connector did not run in time.
    """
    source, layout = settings.cdc.source, LakeLayout.of(settings)
    connector, slot = connector_name(source), slot_name(source)
    with connect(settings.postgres) as connection, ConnectClient(settings.connect.url) as client:
        lsn = current_lsn(connection)
        tables = _captured(connection, settings)
        names = [table.contract.table for table in tables]
        findings = _check(connection, settings, tables)
        require_ready(findings)
        known = current_slot_epoch(layout)
        slot_epoch = _life(connection, layout, slot, known, names)
        changed = [f"epoch {slot_epoch.epoch} began"] if slot_epoch != known else []
        published = published_tables(connection, publication_name(source)) or []
        versions = contract_versions(layout)
        unseen = [table for table in names if table not in published or not _is_captured(versions.get(table))]
        if slot_epoch == known:
            _require_keys(connection, [table.contract for table in tables if table.contract.table in unseen])
        is_published_anew = ensure_publication(connection, publication_name(source), names)
        # Read once more: with what the publication says of them.
        tables = read_tables(connection, names, publication=publication_name(source))
        contracts = [table.contract for table in tables]
        if slot_epoch == known:
            changed += _record_changes(layout, contracts, unseen, lsn)
        else:
            changed += _record_anew(settings, contracts, known, slot_epoch, lsn)
        changed += _end_others(layout, names, lsn)
        if is_published_anew:
            changed.append(f"publication {publication_name(source)} names {len(names)} tables")
        config = connector_config(settings, tables, epoch=slot_epoch.epoch, placeholder=slot_epoch.placeholder)
        repairs = _replaced_nulls(client.config(connector), [t for t in tables if t.contract.table in published])
        if _apply(client, connector, config, anew=slot_epoch != known):
            changed.append(f"connector {connector} started")
        client.wait_until(
            connector,
            lambda status: status.running and read_slot(connection, slot) is not None,
            aim="running",
            timeout=timeout,
        )
    for table, version in latest_versions(layout).items():
        if version.baseline.is_pending and table in names:
            read_anew(settings, table)
            changed.append(f"rows of {table} were read")
    warnings = [finding for finding in findings if finding.severity == "warning"]
    return Registration(
        connector=connector,
        epoch=slot_epoch.epoch,
        tables=tuple(names),
        changed=tuple(changed),
        warnings=(*warnings, *repairs, *_misleading_statistics(settings)),
    )


def source_status(settings: Settings) -> SourceStatus:
    """Reads how the source is, from the database, Kafka Connect and the lake."""
    source = settings.cdc.source
    with connect(settings.postgres) as connection, ConnectClient(settings.connect.url) as client:
        connector = client.status(connector_name(source))
        return SourceStatus(
            connector=connector,
            snapshot_done=connector is not None and snapshot_done(client.offset(connector_name(source))),
            slot=read_slot(connection, slot_name(source)),
            epoch=current_epoch(LakeLayout(settings.lake.root, source)),
            tables=tuple(published_tables(connection, publication_name(source)) or ()),
        )


def remove_source(settings: Settings, *, dry_run: bool = True) -> list[str]:
    """Removes connector, slot and publication; returns what there was of them. The lake and the topics stay.

    Args:
        settings: The source.
        dry_run: Only say what would be removed.
    """
    source = settings.cdc.source
    connector, slot, publication = connector_name(source), slot_name(source), publication_name(source)
    with connect(settings.postgres) as connection, ConnectClient(settings.connect.url) as client:
        found = {
            f"connector {connector} and its offset": client.config(connector) is not None,
            f"replication slot {slot}": read_slot(connection, slot) is not None,
            f"publication {publication}": published_tables(connection, publication) is not None,
        }
        removed = [what for what, exists in found.items() if exists]
        if dry_run:
            return removed
        if client.config(connector) is not None:
            client.stop(connector)
            client.reset_offset(connector)
            client.delete(connector)
        drop_slot(connection, slot)
        drop_publication(connection, publication)
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
            for uri in (layout.rebuild(table), layout.trial(table), layout.snapshot(table), layout.silver(table)):
                delete_table(uri)
    return there


def _captured(connection: Connection, settings: Settings) -> list[CatalogTable]:
    return read_tables(connection, list_tables(connection, settings.cdc.tables))


def _check(connection: Connection, settings: Settings, tables: list[CatalogTable]) -> list[Finding]:
    source = settings.cdc.source
    narrowed = narrowed_tables(connection, publication_name(source)) or {}
    return [
        *check_server(connection, read_slot(connection, slot_name(source))),
        *check_publication(narrowed),
        *check_patterns(settings.cdc.tables, [table.contract.table for table in tables]),
        *check_tables(
            tables,
            role=settings.postgres.user,
            published=[table for table, left_out in narrowed.items() if not left_out],
        ),
        *check_types(connection, tables),
        *check_stream(source, tables),
    ]


def _replaced_nulls(config: dict[str, str] | None, tables: list[CatalogTable]) -> list[Finding]:
    """What a connector of a release before 0.2 may have written: a column's default in place of NULL."""
    if config is None or config.get(NULLS_AS_DEFAULTS) == "false":
        return []
    return [
        Finding(
            "warning",
            str(table.contract.table),
            f"may have a default in silver where the source has NULL, in {', '.join(table.defaulted)}",
            reading_command(table.contract),
        )
        for table in tables
        if table.defaulted
    ]


def _misleading_statistics(settings: Settings) -> list[Finding]:
    """Silver tables that a release before 0.2 wrote with statistics by which readers skip rows that are there."""
    return [
        Finding(
            "warning",
            str(table),
            f"has files in silver with rounded statistics of {', '.join(columns)}: readers that filter by it miss rows",
            f"lakehouse rebuild {shlex.quote(str(table))}",
        )
        for table, columns in misleading_tables(settings).items()
    ]


def _life(
    connection: Connection, layout: LakeLayout, slot: str, known: SlotEpoch | None, tables: list[TableName]
) -> SlotEpoch:
    """The slot epoch: the known one if the slot is as it was, a new one if there is no slot."""
    identity = read_identity(connection)
    exists = read_slot(connection, slot) is not None
    if exists and (known is None or not known.covers(slot, identity)):
        raise SourceNotReady(
            f"replication slot {slot} exists, but it is not the one that the lake at {layout.root} knows",
            hint="if another lake uses it, choose another LAKEHOUSE_CDC__SOURCE; if it is left over from an earlier "
            "lake or a failover, run `lakehouse source remove --yes`, then register again",
        )
    return ensure_epoch(layout, slot=slot, slot_exists=exists, identity=identity, tables=tables)


def _require_keys(connection: Connection, unseen: list[TableContract]) -> None:
    """Does nothing if the rows of tables that so far are not captured can be read while they change."""
    for contract in unseen:
        if has_rows(connection, contract.table):
            require_key(contract)


def _record_changes(layout: LakeLayout, contracts: list[TableContract], unseen: list[TableName], lsn: int) -> list[str]:
    """Records what is new of a source that is captured already; `unseen` are the tables that so far are not."""
    added, known = ([c for c in contracts if (c.table in unseen) is wanted] for wanted in (True, False))
    # A table that changed so that silver can't follow keeps its contract, and is held.
    followed, _ = follow_contracts(layout, contract_versions(layout), known, lsn)
    record_contracts(layout, added, lsn, baseline=PENDING, force=True)
    return [f"contract of {table} recorded" for table in (*followed, *(contract.table for contract in added))]


def _is_captured(versions: Sequence[ContractVersion] | None) -> bool:
    return versions is not None and versions[-1].contract.captured


def _end_others(layout: LakeLayout, names: Collection[TableName], lsn: int) -> list[str]:
    """Remembers that tables are captured no more which are gone, or which the setting does not mean any more."""
    ended = []
    for table, versions in sorted(contract_versions(layout).items()):
        if _is_captured(versions) and table not in names:
            contract = versions[-1].contract.model_copy(update={"captured": False})
            record_contracts(layout, [contract], lsn, baseline=versions[-1].baseline)
            ended.append(f"{table} is captured no more; its silver stays until `lakehouse source forget {table}`")
    return ended


def _record_anew(
    settings: Settings, contracts: list[TableContract], known: SlotEpoch | None, slot_epoch: SlotEpoch, lsn: int
) -> list[str]:
    """Records the contracts with which a slot epoch begins, right before its snapshot."""
    layout = LakeLayout.of(settings)
    baseline, changed = FIRST_EVENT, []
    if known is not None:
        lost = forget_lost_positions(settings, [contract.table for contract in contracts])
        changed = [f"{p.topic}[{p.partition}] is read on, although messages of it were lost" for p in lost]
        # All rows are read anew: what bronze holds from before may be of other columns.
        first = BEGINNING._replace(epoch=slot_epoch.epoch)
        baseline = Baseline(BaselineKind.SNAPSHOT, BronzeLog(layout).batch, first)
    recorded = record_contracts(layout, contracts, lsn, baseline=baseline)
    return [*changed, *(f"contract of {table} recorded" for table in recorded)]


def _refuse_forgotten(client: ConnectClient, connector: str) -> None:
    """Without its offset, a connector would read all rows at positions that count less than what silver has."""
    if client.offset(connector) is None:
        client.delete(connector)
        raise SourceNotReady(
            f"Kafka Connect no longer knows how far connector {connector} has read",
            hint="run `lakehouse source remove --yes`, then `lakehouse source register`: all tables are read anew",
        )


def _apply(client: ConnectClient, connector: str, config: dict[str, str], *, anew: bool) -> bool:
    """Brings the connector to this configuration and to run; returns whether it had to be touched."""
    current, status = client.config(connector), client.status(connector)
    if current is None:
        client.create_stopped(connector, config)
        if not anew:
            _refuse_forgotten(client, connector)
    else:
        healthy = status is not None and status.failure is None and status.state not in ("STOPPED", "PAUSED")
        if current == config and healthy and not anew:
            return False
        client.stop(connector)
        client.configure(connector, config)
    if anew:
        client.reset_offset(connector)
    client.resume(connector)
    return True
