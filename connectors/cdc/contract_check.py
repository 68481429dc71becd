"""The contract check: follows schema changes that lose nothing, and says which tables are paused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from connectors.changes.markers import NO_MARKER, Marker
from connectors.changes.policies import Answer
from connectors.changes.schema_changes import Difference, answer_to, differences, with_memory
from connectors.debezium.checks import stopping_findings
from connectors.debezium.config import publication_name
from connectors.errors import TablePaused
from connectors.lake.bronze import BronzeLog
from connectors.lake.checked import Checked, record_checked
from connectors.lake.contract_log import ContractVersion, contract_versions, newest_version, record_contracts
from connectors.lake.epoch_log import registered_slot_epoch
from connectors.lake.layout import LakeLayout
from connectors.lake.silver.baseline import Baseline
from connectors.lake.silver.schema import table_paused
from connectors.lake.verdicts import Verdict, read_verdicts
from connectors.postgres.catalog import CatalogTable, find_renamed, read_tables
from connectors.postgres.checks import Finding, identity_findings
from connectors.postgres.comments import Comments, read_comments
from connectors.postgres.connection import connect
from connectors.postgres.contracts import TableContract
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import current_lsn, narrowed_tables
from connectors.settings import Settings

_REGISTER = "lakehouse source register"
_TORN = "a key was changed, and the row under its new key never arrived: Debezium was started again in between"


@dataclass(frozen=True)
class Change:
    """How a table's definition changed, where silver does not simply follow.

    Attributes:
        contract: What the catalogue says now.
        lsn: Position from which it is known to hold.
        found: The differences to the contract that the lake has.
        torn: A change of a key arrived in part: what became of its row, only the source knows.
    """

    contract: TableContract
    lsn: int
    found: Sequence[Difference]
    torn: bool = False

    @property
    def answer(self) -> Answer:
        """What is to be done about it."""
        return "paused" if self.torn else answer_to(self.found)

    def __str__(self) -> str:
        return "; ".join(dict.fromkeys([*map(str, self.found), *([_TORN] if self.torn else [])]))


@dataclass(frozen=True)
class ContractCheck:
    """What the source's catalogue says of the contracts that the lake has.

    Attributes:
        up_to_batch: What is in bronze up to this batch was written under the contracts that were checked.
        through: Everything that the source committed before this marker is in bronze up to that batch.
        followed: How tables changed whose new contract was recorded.
        paused: Why a table may not be merged.
        changed: Drift of tables that are paused until they are compared with the source, or resynced.
        dropped: Tables that are gone from the source.
        comments: What people wrote about tables and columns there.
    """

    up_to_batch: int
    through: Marker = NO_MARKER
    followed: Mapping[TableName, Sequence[Difference]] = field(default_factory=dict)
    paused: Mapping[TableName, TablePaused] = field(default_factory=dict)
    changed: Mapping[TableName, Change] = field(default_factory=dict)
    dropped: Sequence[TableName] = ()
    comments: Mapping[TableName, Comments] = field(default_factory=dict)


def check_contracts(settings: Settings) -> ContractCheck:
    """Compares the source's catalogue with the newest contracts; records the changes that silver can follow.

    Raises:
        ServiceUnavailable: The source's database does not answer, so a changed type can't be excluded.
    """
    layout = LakeLayout.of(settings)
    publication = publication_name(settings.cdc.source)
    # Asked first: a change of a table that is in bronze by now is in the catalogue by then.
    bronze = BronzeLog(layout)
    versions = {table: known for table, known in contract_versions(layout).items() if known[-1].contract.captured}
    with connect(settings.postgres) as connection:
        lsn = current_lsn(connection)
        tables = read_tables(connection, versions, publication=publication)
        contracts = [table.contract for table in tables]
        omitted = narrowed_tables(connection, publication) or {}
        gone = [versions[table][-1].contract for table in versions.keys() - {c.table for c in contracts}]
        comments = read_comments(connection, [contract.table for contract in contracts])
        renamed = find_renamed(connection, [contract.oid for contract in gone])
    unread = {
        name: table_paused(known[-1].contract, "it was added, and its snapshot was not taken yet", command=_REGISTER)
        for name, known in versions.items()
        if known[-1].baseline.is_pending
    }
    followed, changed = follow_contracts(layout, versions, contracts, lsn)
    for contract in contracts:
        known = versions[contract.table][-1]
        if _is_torn(layout, bronze.torn(contract.table), known.baseline):
            change = changed.get(contract.table, Change(with_memory(contract, known.contract), lsn, ()))
            changed[contract.table] = replace(change, torn=True)
    verdicts = read_verdicts(layout) if changed else {}
    unsafe = {
        table: table_paused(change.contract, _problem(change, verdicts.get(table))) for table, change in changed.items()
    }
    whole = {table for table, lacking in omitted.items() if not lacking}
    missed = {c.table: _missed(c, omitted.get(c.table), unsafe.get(c.table)) for c in contracts if c.table not in whole}
    known_to_differ = {table for table, change in changed.items() if _is_of(verdicts.get(table), change)}
    of_no_use = {t for t, change in changed.items() if change.answer == "paused" and not settings.cdc.auto_resync_rows}
    waiting = changed.keys() - unread.keys() - missed.keys() - known_to_differ - of_no_use
    moved = {c.table: _renamed(c, renamed[c.oid]) for c in gone if c.oid in renamed}
    unfixed = {table.contract.table: _until_fixed(table, found[0]) for table in tables if (found := _to_fix(table))}
    paused = {**unread, **unsafe, **missed, **moved, **unfixed}
    record_checked(layout, Checked(bronze.batch, frozenset(paused)))
    return ContractCheck(
        up_to_batch=bronze.batch,
        through=bronze.through,
        followed=followed,
        paused=paused,
        changed={table: changed[table] for table in sorted(waiting)},
        dropped=tuple(sorted(c.table for c in gone if c.oid not in renamed)),
        comments=comments,
    )


def _is_torn(layout: LakeLayout, torn: Marker, baseline: Baseline) -> bool:
    """Whether a table's rows were not read since a change of a key was lost in part."""
    if torn == NO_MARKER or torn < baseline.position[:2]:
        return False
    return torn.epoch == registered_slot_epoch(layout).epoch


def _is_of(verdict: Verdict | None, change: Change) -> bool:
    return verdict is not None and verdict.contract == change.contract


def _problem(change: Change, verdict: Verdict | None) -> str:
    if verdict is not None and _is_of(verdict, change):
        return f"{change}; {verdict.problem}"
    return f"{change}; it is to be compared with its source" if change.answer == "verified" else str(change)


def _missed(contract: TableContract, omitted: str | None, other: TablePaused | None) -> TablePaused:
    """Why a table is paused that the publication lacks, whole or in part, and maybe for another reason, too."""
    command = _REGISTER if other is None else f"{_REGISTER} && {other.command}"
    what = "it was removed from the publication" if omitted is None else f"the publication omits {omitted}"
    return table_paused(contract, f"{what}: changes are missed from then on", command=command)


def _renamed(contract: TableContract, now: TableName) -> TablePaused:
    return table_paused(contract, f"it was renamed to {now}: changes are missed from then on", command=_REGISTER)


def _to_fix(table: CatalogTable) -> list[Finding]:
    """What only the source can put right: a partition without identity, a table that others inherit from."""
    return [*(f for f in identity_findings(table) if f.severity == "blocker"), *stopping_findings(table)]


def _until_fixed(table: CatalogTable, finding: Finding) -> TablePaused:
    name = table.contract.table
    about = "" if finding.subject == str(name) else f"{finding.subject.removeprefix(f'{name}.')} "
    problem = f"{about}{finding.problem}"
    return TablePaused(
        f"{name}: {problem}",
        hint=f"`{finding.fix}`; then `{_REGISTER}`: until then it is paused at its last state",
        table=name,
        command=f"{finding.fix} then: {_REGISTER}",
    )


def follow_contracts(
    layout: LakeLayout,
    versions: Mapping[TableName, Sequence[ContractVersion]],
    contracts: Sequence[TableContract],
    lsn: int,
) -> tuple[dict[TableName, list[Difference]], dict[TableName, Change]]:
    """Records the contracts of known tables whose changes silver can follow; returns these changes, and the others."""
    followed: dict[TableName, list[Difference]] = {}
    changed: dict[TableName, Change] = {}
    for contract in contracts:
        if contract.table not in versions:
            continue
        known = versions[contract.table][-1]
        now = with_memory(contract, known.contract)
        if known.contract == now:
            continue
        kept = newest_version(versions[contract.table]).contract.columns
        change = Change(now, lsn, differences(known.contract, now, kept=[c.name for c in kept]))
        if change.answer == "followed":
            record_contracts(layout, [now], lsn)
            followed[contract.table] = list(change.found)
        else:
            changed[contract.table] = change
    return followed, changed
