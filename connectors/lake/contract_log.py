"""The versions of every table contract, in an append-only table of the lake."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import itemgetter
from types import MappingProxyType
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from connectors.changes.markers import Marker
from connectors.changes.schema_changes import with_dropped
from connectors.errors import ConfigurationError
from connectors.lake.commits import append_numbered, optimistically
from connectors.lake.epoch_log import not_registered
from connectors.lake.layout import LakeLayout
from connectors.lake.silver.baseline import FIRST_EVENT, Baseline
from connectors.lake.storage import ensure_table, open_table, read_rows
from connectors.postgres.contracts import TableContract
from connectors.postgres.identifiers import TableName
from connectors.postgres.patterns import select
from connectors.settings import Settings

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


@dataclass(frozen=True)
class ContractVersion:
    """A table's contract, and the position from which it holds.

    Attributes:
        version: 1, 2, ... per table.
        valid_from_lsn: 0 for the first: nothing is known of what was before.
        contract: What the catalogue said.
        baseline: What a silver table of this version starts from. Older events, maybe of other columns, do not count.
    """

    version: int
    valid_from_lsn: int
    contract: TableContract
    baseline: Baseline = FIRST_EVENT


@dataclass(frozen=True)
class _Contracts:
    """All contracts of one version of the table: all their versions, and the newest."""

    key: tuple[str, int] | None
    versions: Mapping[TableName, tuple[ContractVersion, ...]]
    latest: Mapping[TableName, ContractVersion]


def contract_versions(layout: LakeLayout) -> Mapping[TableName, tuple[ContractVersion, ...]]:
    """All versions of all contracts, oldest first; empty before the first registration."""
    return _contracts(layout).versions


def latest_versions(layout: LakeLayout) -> Mapping[TableName, ContractVersion]:
    """The newest version of the contract of every table that was ever captured.

    It has the columns, too, that were dropped since the table was last resynced: events may still hold them.
    """
    return _contracts(layout).latest


def latest_contracts(layout: LakeLayout) -> dict[TableName, TableContract]:
    """The newest contract of every table that was ever captured."""
    return {name: version.contract for name, version in latest_versions(layout).items()}


def registered_versions(layout: LakeLayout) -> Mapping[TableName, ContractVersion]:
    """The newest version of the contract of every captured table.

    Raises:
        ConfigurationError: The source is not registered.
    """
    versions = latest_versions(layout)
    if not versions:
        raise not_registered(layout)
    return versions


def captured_tables(settings: Settings, patterns: Sequence[str]) -> list[TableName]:
    """The captured tables that `schema.table` patterns mean, sorted.

    Raises:
        ConfigurationError: The source is not registered, or no captured table is meant.
    """
    versions = registered_versions(LakeLayout.of(settings))
    captured = sorted(table for table, version in versions.items() if version.contract.captured)
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
    baseline: Baseline | None = None,
    force: bool = False,
) -> list[TableName]:
    """Records the contracts that differ from the newest known ones; returns their tables.

    Args:
        layout: The lake.
        contracts: What the catalogue says now.
        lsn: LSN from which they hold, read before the catalogue. For a new baseline: the LSN of the marker behind which
            its snapshot ended.
        baseline: What a silver table of these contracts starts from; None: as before.
        force: Record the others, too: their baseline is new.

    Raises:
        CommitConflict: Other writers kept committing first.
    """
    wanted = list(contracts)

    def attempt() -> list[TableName]:
        table = ensure_table(layout.contracts, _CONTRACTS)
        known = _read(table).versions
        newest = {name: versions[-1] for name, versions in known.items()}
        changed = [c for c in wanted if c.table not in newest or _supersedes(c, baseline, newest[c.table], force=force)]
        baselines = {name: version.baseline for name, version in newest.items()}
        rows = [
            _contract_row(c, len(known.get(c.table, ())), lsn, baseline or baselines.get(c.table, FIRST_EVENT))
            for c in changed
        ]
        append_numbered(table, rows, _CONTRACTS)
        return [contract.table for contract in changed]

    return optimistically(attempt)


def _supersedes(contract: TableContract, baseline: Baseline | None, newest: ContractVersion, *, force: bool) -> bool:
    # Of two resyncs at once, the one that began later counts, whichever ends last.
    if baseline is not None and not baseline.is_pending and baseline.position < newest.baseline.position:
        return False
    return force or newest.contract != contract


def _contract_row(contract: TableContract, known_versions: int, lsn: int, baseline: Baseline) -> dict[str, Any]:
    return {
        "table": str(contract.table),
        "version": known_versions + 1,
        "valid_from_lsn": lsn if known_versions else 0,
        "contract": contract.model_dump_json(),
        "begin_batch": baseline.batch,
        "begin_epoch": baseline.position.epoch,
        "begin_lsn": baseline.position.prev_commit_lsn,
        "recorded_at": datetime.now(UTC),
    }


# What was read last of each lake: maintenance and drains ask for it once per table.
_newest: dict[str, _Contracts] = {}


def _contracts(layout: LakeLayout) -> _Contracts:
    table = open_table(layout.contracts)
    return _Contracts(None, {}, {}) if table is None else _read(table)


def _read(table: DeltaTable) -> _Contracts:
    key = (str(table.metadata().id), table.version())
    known = _newest.get(table.table_uri)
    if known is None or known.key != key:
        versions = _read_versions(table)
        latest = {name: newest_version(found) for name, found in versions.items()}
        known = _newest[table.table_uri] = _Contracts(key, MappingProxyType(versions), MappingProxyType(latest))
    return known


def _read_versions(table: DeltaTable) -> dict[TableName, tuple[ContractVersion, ...]]:
    versions: dict[TableName, tuple[ContractVersion, ...]] = {}
    for row in sorted(read_rows(table), key=itemgetter("table", "version")):
        contract = TableContract.model_validate_json(row["contract"])
        complete_at = Marker(row["begin_epoch"], row["valid_from_lsn"])
        baseline = Baseline.stored(
            row["begin_batch"], epoch=row["begin_epoch"], lsn=row["begin_lsn"], complete_at=complete_at
        )
        known = versions.get(contract.table, ())
        # A later contract of the same snapshot holds from later on; the snapshot's end stays where it was.
        same = [v.baseline for v in known if v.baseline.starts_like(baseline)]
        version = ContractVersion(row["version"], row["valid_from_lsn"], contract, same[0] if same else baseline)
        versions[contract.table] = (*known, version)
    return versions


def newest_version(versions: Sequence[ContractVersion]) -> ContractVersion:
    """Returns the last of a table's versions, with the columns that were dropped since the table was last resynced."""
    newest = versions[-1]
    since = [v for v in versions if v.baseline == newest.baseline]
    return replace(newest, contract=with_dropped([v.contract for v in since]))
