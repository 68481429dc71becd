"""The outcome of rejected messages after a rebuild, read from the rebuilt table."""

from connectors.changes.columns import names
from connectors.changes.order import is_below, is_newer
from connectors.changes.toast import UNKNOWN_VALUE
from connectors.changes.workspace import MergeWorkspace
from connectors.lake.engines.duckdb import DUCKDB
from connectors.lake.layout import LakeLayout
from connectors.lake.quarantine import ADDRESS, Rules, quarantined_messages, record_outcomes
from connectors.lake.silver.table import SilverTable
from connectors.postgres.identifiers import quote_literal


def settle_rejected(layout: LakeLayout, silver: SilverTable, *, rules: Rules, silver_version: int) -> None:
    """Records the outcome of the rejected messages of a rebuilt table.

    Args:
        layout: The lake.
        silver: The table, of all that bronze holds up to its batch.
        rules: The contract and release that read it.
        silver_version: Delta version of silver that has its rows.

    Raises:
        CommitConflict: Another run recorded first, and kept doing so.
    """
    with DUCKDB.workspace(silver) as work:
        judge_rejected(work, layout, silver)
        record_outcomes(work, layout, silver.contract.table, rules=rules, silver_version=silver_version)


def judge_rejected(work: MergeWorkspace, layout: LakeLayout, silver: SilverTable) -> None:
    """Makes the table `judged`: stream address, `outcome` and `reason` of the messages that were ever rejected.

    Replayed: silver shows the change, or has it in its history. Superseded: something newer took its place, a later
    change of the row, maybe purged, a truncation, or a resync of the table. Rejected: silver is not past it.
    """
    columns, contract = silver.columns, silver.contract
    messages = quarantined_messages(layout, contract.table, up_to_batch=silver.batch)
    work.create("changes", DUCKDB.decoded(work, silver, messages))
    stored, not_reached, passed = "", "FALSE", "FALSE"
    if contract.key:
        keys = f"SELECT {columns.keys} FROM changes WHERE reason IS NULL AND _cdc_op <> 't'"
        DUCKDB.read_stored(work, silver, keys=keys)
        stored = f"LEFT JOIN stored USING ({columns.keys})"
        unknown, purged = "stored._cdc_epoch IS NULL", is_below("changes", silver.progress.purged)
        not_reached = f"({unknown} AND NOT {purged}) OR {is_newer('changes', 'stored')}"
        passed = f"{unknown} OR {is_newer('stored', 'changes')}"
    gone = f"changes.batch <= {silver.baseline.batch} OR {is_below('changes', silver.progress.low_watermark)}"
    work.create(
        "judged",
        f"""
SELECT {names(ADDRESS)}, if(outcome = 'rejected', coalesce(reason, {quote_literal(UNKNOWN_VALUE)}), NULL) AS reason,
    outcome
FROM (
    SELECT {names(f"changes.{name}" for name in (*ADDRESS, "reason"))}, CASE
        WHEN {gone} THEN 'superseded'
        WHEN reason IS NOT NULL THEN 'rejected'
        WHEN changes._cdc_op = 't' THEN 'replayed'
        WHEN {not_reached} THEN 'rejected'
        WHEN {passed} THEN 'superseded'
        ELSE 'replayed'
    END AS outcome
    FROM changes {stored}
)
""",
    )
