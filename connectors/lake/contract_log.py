"""What the lake remembers of its source: versions of table contracts, and lives of the slot.

Two small tables, only ever appended to. Each commit says which number of commit it is, so that of
two writers that read the same state one wins and the other reads again.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from connectors.changes.evolution import with_dropped
from connectors.changes.markers import NO_MARKER, Marker
from connectors.changes.order import Position
from connectors.errors import ConfigurationError
from connectors.lake.commits import committing, optimistically, reached, with_progress
from connectors.lake.layout import LakeLayout
from connectors.lake.silver.progress import START, SilverProgress
from connectors.lake.storage import ensure_table, open_table, read_rows
from connectors.postgres.contracts import TableContract
from connectors.postgres.identifiers import TableName
from connectors.postgres.patterns import select
from connectors.postgres.replication import ServerIdentity

_COMMIT_NUMBER = "lakehouse.commit"

_CONTRACTS = pa.schema(
    [
        pa.field("table", pa.string(), nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("valid_from_lsn", pa.int64(), nullable=False),
        pa.field("contract", pa.string(), nullable=False),
        pa.field("begin_batch", pa.int64(), nullable=False),
        pa.field("begin_epoch", pa.int64(), nullable=False),
        pa.field("begin_lsn", pa.int64(), nullable=False),
        pa.field("recorded_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)

_EPOCHS = pa.schema(
    [
        pa.field("epoch", pa.int64(), nullable=False),
        pa.field("slot", pa.string(), nullable=False),
        pa.field("system_identifier", pa.string(), nullable=False),
        pa.field("timeline", pa.int64(), nullable=False),
        pa.field("placeholder", pa.string(), nullable=False),
        pa.field("tables", pa.list_(pa.string()), nullable=False),
        pa.field("recorded_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)


@dataclass(frozen=True)
class ContractVersion:
    """A table's contract, and the position from which it holds.

    Attributes:
        version: 1, 2, ... per table.
        valid_from_lsn: 0 for the first: nothing is known of what was before.
        contract: What the catalogue said.
        beginning: What a silver table of this version starts from: all rows were read anew then, so that what
            bronze holds from before, maybe of other columns, does not matter.
        read_until: Marker behind which that reading had ended.
    """

    version: int
    valid_from_lsn: int
    contract: TableContract
    beginning: SilverProgress = START
    read_until: Marker = NO_MARKER


@dataclass(frozen=True)
class SourceLife:
    """One life of the replication slot; positions of two lives do not compare.

    Attributes:
        epoch: Number of the life, from 1.
        slot: Name of the slot.
        system_identifier: The server's, from `initdb`.
        timeline: The server's; a failover or a restore begins a new one.
        placeholder: What stands for values that an update did not change; the same in all lives.
        tables: The tables that the snapshot at its beginning reads.
    """

    epoch: int
    slot: str
    system_identifier: str
    timeline: int
    placeholder: str
    tables: tuple[TableName, ...]

    def is_of(self, slot: str, identity: ServerIdentity) -> bool:
        """Whether it is the life of this slot on this server and timeline."""
        return (self.slot, self.system_identifier, self.timeline) == (
            slot,
            identity.system_identifier,
            identity.timeline,
        )


def contract_versions(layout: LakeLayout) -> dict[TableName, tuple[ContractVersion, ...]]:
    """All versions of all contracts, oldest first; empty before the first registration."""
    table = open_table(layout.contracts)
    return {} if table is None else _versions(table)


def latest_versions(layout: LakeLayout) -> dict[TableName, ContractVersion]:
    """The newest version of the contract of every table that was ever captured.

    It has the columns, too, that were dropped since the table was last read anew: events may still hold them.
    """
    return {name: newest_version(versions) for name, versions in contract_versions(layout).items()}


def latest_contracts(layout: LakeLayout) -> dict[TableName, TableContract]:
    """The newest contract of every table that was ever captured."""
    return {name: version.contract for name, version in latest_versions(layout).items()}


def registered_versions(layout: LakeLayout) -> dict[TableName, ContractVersion]:
    """The newest version of the contract of every captured table.

    Raises:
        ConfigurationError: The source is not registered.
    """
    versions = latest_versions(layout)
    if not versions:
        raise _not_registered(layout)
    return versions


def captured_tables(layout: LakeLayout, patterns: Sequence[str]) -> list[TableName]:
    """The captured tables that `schema.table` patterns mean, sorted.

    Raises:
        ConfigurationError: The source is not registered, or no captured table is meant.
    """
    captured = sorted(table for table, version in registered_versions(layout).items() if version.contract.captured)
    chosen = select(patterns, captured)
    if not chosen:
        raise ConfigurationError(
            f"no captured table is meant by {', '.join(patterns)}", hint=f"captured are {', '.join(map(str, captured))}"
        )
    return chosen


def record_contracts(
    layout: LakeLayout,
    contracts: Iterable[TableContract],
    lsn: int,
    *,
    beginning: SilverProgress = START,
    again: bool = False,
) -> list[TableName]:
    """Records the contracts that differ from the newest known ones; returns their tables.

    Args:
        layout: The lake.
        contracts: What the catalogue says now.
        lsn: Position from which that holds, read before the catalogue was; or behind which the rows were read anew.
        beginning: What a silver table of these contracts starts from.
        again: Record the others, too: their rows were read anew.

    Raises:
        CommitConflict: Other writers kept committing first.
    """
    wanted = list(contracts)

    def attempt() -> list[TableName]:
        table = ensure_table(layout.contracts, _CONTRACTS)
        known = _versions(table)
        changed = [c for c in wanted if again or c.table not in known or known[c.table][-1].contract != c]
        rows = [_contract_row(c, len(known.get(c.table, ())), lsn, beginning) for c in changed]
        _append(table, rows, _CONTRACTS)
        return [contract.table for contract in changed]

    return optimistically(attempt)


def current_life(layout: LakeLayout) -> SourceLife | None:
    """The newest life of the slot; None before the first registration."""
    table = open_table(layout.epochs)
    return None if table is None else _newest_life(table)


def registered_life(layout: LakeLayout) -> SourceLife:
    """The newest life of the slot.

    Raises:
        ConfigurationError: The source is not registered.
    """
    life = current_life(layout)
    if life is None:
        raise _not_registered(layout)
    return life


def current_epoch(layout: LakeLayout) -> int | None:
    """Number of the newest life of the slot; None before the first registration."""
    life = current_life(layout)
    return None if life is None else life.epoch


def ensure_epoch(
    layout: LakeLayout, *, slot: str, slot_exists: bool, identity: ServerIdentity, tables: Iterable[TableName]
) -> SourceLife:
    """Returns the slot's current life; records a new one if the slot is not the one that is known.

    Args:
        layout: The lake.
        slot: Name of the slot.
        slot_exists: Whether the server has it. One that is gone will be made anew, and its life with it.
        identity: The server the slot is on.
        tables: The tables that are to be captured.

    Raises:
        CommitConflict: Other writers kept committing first.
    """
    before, captured = current_life(layout), tuple(tables)

    def attempt() -> SourceLife:
        table = ensure_table(layout.epochs, _EPOCHS)
        last = _newest_life(table)
        life = SourceLife(
            epoch=1 if last is None else last.epoch + 1,
            slot=slot,
            system_identifier=identity.system_identifier,
            timeline=identity.timeline,
            placeholder=_new_placeholder() if last is None else last.placeholder,
            tables=captured,
        )
        # A life that was not there before is the one to begin: ours, if the answer was lost, or that of another run.
        if last is not None and last.is_of(slot, identity) and (slot_exists or last != before):
            return last
        row = {**asdict(life), "tables": [str(name) for name in life.tables], "recorded_at": datetime.now(UTC)}
        _append(table, [row], _EPOCHS)
        return life

    return optimistically(attempt)


def _not_registered(layout: LakeLayout) -> ConfigurationError:
    return ConfigurationError(
        f"source {layout.source!r} is not registered in this lake", hint="run `lakehouse source register`"
    )


def _contract_row(contract: TableContract, known_versions: int, lsn: int, beginning: SilverProgress) -> dict[str, Any]:
    return {
        "table": str(contract.table),
        "version": known_versions + 1,
        "valid_from_lsn": lsn if known_versions else 0,
        "contract": contract.model_dump_json(),
        "begin_batch": beginning.batch,
        "begin_epoch": beginning.floor.epoch,
        "begin_lsn": beginning.floor.prev_commit_lsn,
        "recorded_at": datetime.now(UTC),
    }


def _new_placeholder() -> str:
    # Random, so that no value of the source is ever taken for it.
    return f"__lakehouse_unchanged_{secrets.token_hex(16)}"


def _versions(table: DeltaTable) -> dict[TableName, tuple[ContractVersion, ...]]:
    versions: dict[TableName, tuple[ContractVersion, ...]] = {}
    for row in sorted(read_rows(table), key=itemgetter("table", "version")):
        contract = TableContract.model_validate_json(row["contract"])
        floor = Position(row["begin_epoch"], row["begin_lsn"], 0, 0)
        beginning = SilverProgress(row["begin_batch"], floor)
        known = versions.get(contract.table, ())
        # Later contracts of the same reading hold from later on; its end stays where it was.
        same_reading = [v.read_until for v in known if v.beginning == beginning]
        read_until = same_reading[0] if same_reading else Marker(floor.epoch, row["valid_from_lsn"])
        version = ContractVersion(row["version"], row["valid_from_lsn"], contract, beginning, read_until)
        versions[contract.table] = (*known, version)
    return versions


def newest_version(versions: Sequence[ContractVersion]) -> ContractVersion:
    """Returns the last of a table's versions, with the columns that were dropped since the table was last read anew."""
    newest = versions[-1]
    since = [v for v in versions if v.beginning == newest.beginning]
    return replace(newest, contract=with_dropped([v.contract for v in since]))


def _newest_life(table: DeltaTable) -> SourceLife | None:
    rows = read_rows(table)
    if not rows:
        return None
    newest = max(rows, key=itemgetter("epoch"))
    del newest["recorded_at"]
    return SourceLife(**{**newest, "tables": tuple(map(TableName.parse, newest["tables"]))})


def _append(table: DeltaTable, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
    if not rows:
        return
    number = reached(table, _COMMIT_NUMBER)
    progress = with_progress({_COMMIT_NUMBER: 0 if number is None else number + 1})
    with committing(table):
        write_deltalake(
            table, pa.Table.from_pylist(list(rows), schema=schema), mode="append", commit_properties=progress
        )
