"""Registers a source: publication, slot, connector, and the contracts of its tables. Idempotent."""

from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from connectors.cdc.capture import Watch
from connectors.cdc.contract_check import follow_contracts
from connectors.cdc.lost_positions import forget_lost_positions
from connectors.cdc.release_findings import misleading_statistics, replaced_nulls
from connectors.cdc.resync import require_key, take_snapshot
from connectors.cdc.source_status import preflight_check, tables_to_capture
from connectors.changes.order import BEGINNING
from connectors.debezium.checks import version_findings
from connectors.debezium.config import connector_config, connector_name, publication_name, slot_name
from connectors.debezium.connect import ConnectClient, ConnectorStatus, snapshot_done
from connectors.debezium.deploy import apply_config
from connectors.errors import ServiceUnavailable, SourceNotReady
from connectors.lake.bronze import BronzeLog
from connectors.lake.contract_log import (
    ContractVersion,
    contract_versions,
    latest_versions,
    record_contracts,
)
from connectors.lake.epoch_log import SlotEpoch, current_slot_epoch, ensure_epoch
from connectors.lake.layout import LakeLayout
from connectors.lake.silver.baseline import FIRST_EVENT, PENDING, Baseline, BaselineKind
from connectors.postgres.catalog import read_tables
from connectors.postgres.checks import (
    Finding,
    require_ready,
)
from connectors.postgres.connection import Connection, connect
from connectors.postgres.contracts import TableContract
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import (
    current_lsn,
    ensure_publication,
    has_rows,
    published_tables,
    read_identity,
    read_slot,
)
from connectors.settings import Settings
from connectors.streams import open_stream

START_SECONDS = 120


@dataclass(frozen=True)
class Registration:
    """The result of a registration.

    Attributes:
        connector: Name of the connector, which runs.
        epoch: The slot epoch.
        tables: The captured tables.
        changed: What was changed; empty if everything was as it should be.
        warnings: Warnings of the preflight check.
    """

    connector: str
    epoch: int
    tables: tuple[TableName, ...]
    changed: tuple[str, ...]
    warnings: tuple[Finding, ...] = field(default=())


def register_source(settings: Settings, *, timeout: float = START_SECONDS) -> Registration:
    """Creates publication, slot and connector, and waits until the connector runs. Idempotent.

    Raises:
        SourceNotReady: The check found errors, or the connector failed.
        ServiceUnavailable: A service did not answer, or the connector did not run in time.
    """
    source, layout = settings.cdc.source, LakeLayout.of(settings)
    connector, slot = connector_name(source), slot_name(source)
    with connect(settings.postgres) as connection, ConnectClient(settings.connect.url) as client:
        lsn = current_lsn(connection)
        tables = tables_to_capture(connection, settings)
        names = [table.contract.table for table in tables]
        findings = preflight_check(connection, settings, tables)
        require_ready(findings)
        # Both are asked before anything is made: what does not answer leaves nothing behind.
        before, widened = client.config(connector), _admit_messages(settings)
        known = current_slot_epoch(layout)
        slot_epoch = _ensure_epoch(connection, layout, slot, known, names)
        changed = [*widened, *([f"epoch {slot_epoch.epoch} began"] if slot_epoch != known else [])]
        published = published_tables(connection, publication_name(source)) or []
        versions = contract_versions(layout)
        unseen = [table for table in names if table not in published or not _is_captured(versions.get(table))]
        if slot_epoch == known:
            _require_keys(connection, [table.contract for table in tables if table.contract.table in unseen])
        is_republished = ensure_publication(connection, publication_name(source), names)
        # Read once more: with what the publication says of them.
        tables = read_tables(connection, names, publication=publication_name(source))
        contracts = [table.contract for table in tables]
        if slot_epoch == known:
            changed += _record_changes(layout, contracts, unseen, lsn)
        else:
            changed += _record_new_epoch(settings, contracts, known, slot_epoch, lsn)
        changed += _end_others(layout, names, lsn)
        if is_republished:
            changed.append(f"publication {publication_name(source)} names {len(names)} tables")
        config = connector_config(settings, tables, epoch=slot_epoch.epoch, placeholder=slot_epoch.placeholder)
        repairs = replaced_nulls(before, [t for t in tables if t.contract.table in published])
        if apply_config(client, connector, config, restart=slot_epoch != known):
            changed.append(f"connector {connector} started")
        _wait_until_captured(client, connection, settings, timeout=timeout)
        outdated = version_findings(client.debezium())
    changed += _take_pending_snapshots(settings, names)
    warnings = [finding for finding in findings if finding.severity == "warning"]
    return Registration(
        connector=connector,
        epoch=slot_epoch.epoch,
        tables=tuple(names),
        changed=tuple(changed),
        warnings=(*outdated, *warnings, *repairs, *misleading_statistics(settings)),
    )


def _admit_messages(settings: Settings) -> list[str]:
    with closing(open_stream(settings)) as stream:
        size = settings.cdc.message_bytes
        return [f"topics take messages of up to {size / 2**20:g} MiB"] if stream.admit(size) else []


def _wait_until_captured(client: ConnectClient, connection: Connection, settings: Settings, *, timeout: float) -> None:
    source, watch = settings.cdc.source, Watch(settings)
    name = connector_name(source)

    def reads(status: ConnectorStatus) -> bool:
        watch.look()
        slot = read_slot(connection, slot_name(source))
        # A task says that it runs before it has connected; while a snapshot is taken, nobody reads from the slot.
        return status.running and slot is not None and (slot.active or not snapshot_done(client.offset(name)))

    try:
        client.wait_until(name, reads, aim="running", timeout=timeout)
    except ServiceUnavailable as error:
        hint = "nothing is lost: run `lakehouse source register` again when what it waits for has come"
        raise ServiceUnavailable(watch.adding(error.message), hint=hint) from error


def _take_pending_snapshots(settings: Settings, names: Collection[TableName]) -> list[str]:
    """Takes the snapshots of tables that were added to a source that is captured already."""
    versions = latest_versions(LakeLayout.of(settings))
    pending = [table for table, version in versions.items() if version.baseline.is_pending and table in names]
    for table in pending:
        take_snapshot(settings, table)
    return [f"snapshot of {table} taken" for table in pending]


def _ensure_epoch(
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
    # A table that changed so that silver can't follow keeps its contract, and is paused.
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
            record_contracts(layout, [contract], lsn)
            ended.append(f"{table} is no longer captured; silver stays until `lakehouse source forget {table}`")
    return ended


def _record_new_epoch(
    settings: Settings, contracts: list[TableContract], known: SlotEpoch | None, slot_epoch: SlotEpoch, lsn: int
) -> list[str]:
    """Records the contracts with which a slot epoch begins, right before its snapshot."""
    layout = LakeLayout.of(settings)
    baseline, changed = FIRST_EVENT, []
    if known is not None:
        lost = forget_lost_positions(settings, [contract.table for contract in contracts])
        changed = [f"{p.topic}[{p.partition}] is resumed, although messages of it were lost" for p in lost]
        # A snapshot of all rows follows: older events in bronze may be of other columns.
        first = BEGINNING._replace(epoch=slot_epoch.epoch)
        baseline = Baseline(BaselineKind.SNAPSHOT, BronzeLog(layout).batch, first)
    recorded = record_contracts(layout, contracts, lsn, baseline=baseline)
    return [*changed, *(f"contract of {table} recorded" for table in recorded)]
