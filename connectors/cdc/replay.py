"""Rejected messages: which there are, and replaying them with the current contract and release.

A message is never merged alone: later changes may have taken a value from a row that it would have changed. So a
message that can be read now is read in its place, by a rebuild of its table.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.cdc.contract_check import ContractCheck
from connectors.cdc.merge import open_silver
from connectors.cdc.rebuild import current_rules, rebuild_silver
from connectors.cdc.reports import ReplayReport
from connectors.changes.toast import UNKNOWN_VALUE
from connectors.errors import ConfigurationError
from connectors.lake.contract_log import captured_tables
from connectors.lake.engines.duckdb import DUCKDB
from connectors.lake.layout import LakeLayout
from connectors.lake.quarantine import ADDRESS, open_quarantine, record_outcomes
from connectors.lake.silver.settle import judge_rejected
from connectors.lake.storage import scratch_connection
from connectors.loads.declaration import declared_names
from connectors.postgres.identifiers import TableName
from connectors.postgres.patterns import select
from connectors.settings import Settings


@dataclass(frozen=True)
class RejectedGroup:
    """Rejected messages of one table, with one reason.

    Attributes:
        table: The source table.
        reason: Why they can't be read, without the value.
        messages: How many there are.
        first_at: When the first one was rejected.
        last_at: When the last one was.
    """

    table: str
    reason: str
    messages: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class QuarantinedMessage:
    """One message in quarantine.

    Attributes:
        topic_id: The topic's id.
        stream_partition: Stream partition.
        stream_offset: Offset.
        batch: Batch of bronze that holds it, too.
        key: As received.
        value: As received.
        headers: As received.
        outcome: `rejected`, `replayed` or `superseded`.
        reason: Why it can't be read, or could not.
        rejected_at: When it was first rejected.
        tried_at: When it was tried again last.
        contract_version: By which version of the table contract that was.
        release: By which version of this library.
    """

    topic_id: str
    stream_partition: int
    stream_offset: int
    batch: int
    key: bytes | None
    value: bytes
    headers: dict[str, bytes]
    outcome: str
    reason: str
    rejected_at: datetime
    tried_at: datetime | None
    contract_version: int | None
    release: str | None


def rejected_groups(settings: Settings) -> list[RejectedGroup]:
    """Returns how many messages are rejected, by table and reason."""
    rows = _query(
        settings,
        """
SELECT source_table, split_part(reason, ': ', 1) AS reason, count(*), min(rejected_at), max(rejected_at)
FROM quarantined WHERE outcome = 'rejected' GROUP BY ALL ORDER BY ALL
""",
    )
    return [RejectedGroup(*row) for row in rows]


def rejected_tables(settings: Settings, patterns: Sequence[str]) -> list[TableName]:
    """Returns the captured and loaded tables that patterns mean and that have rejected messages.

    Raises:
        ConfigurationError: The source is not registered, or no table is meant.
    """
    loaded = select(patterns, declared_names(settings.loads.file))
    try:
        chosen = [*captured_tables(settings, patterns), *loaded]
    except ConfigurationError:  # there may be nothing but batch loads
        if not loaded:
            raise
        chosen = loaded
    rejected = {group.table for group in rejected_groups(settings)}
    return [table for table in chosen if str(table) in rejected]


def quarantined_messages(
    settings: Settings, table: TableName, *, limit: int, every: bool = False
) -> list[QuarantinedMessage]:
    """Returns the rejected messages of a table, the oldest first; with `every` those, too, that were settled since."""
    columns = ", ".join(f'"{name}"' for name in QuarantinedMessage.__dataclass_fields__)
    rows = _query(
        settings,
        f"""
SELECT {columns} FROM quarantined WHERE source_table = $table AND ($every OR outcome = 'rejected')
ORDER BY batch, stream_partition, stream_offset LIMIT $limit
""",  # noqa: S608 - names of our own
        table=str(table),
        every=every,
        limit=limit,
    )
    return [QuarantinedMessage(*row) for row in rows]


def is_loaded(settings: Settings, table: TableName) -> bool:
    """Whether a table is one of batch loads: its rejected rows are read again at their source."""
    return table in declared_names(settings.loads.file)


def replay_table(settings: Settings, table: TableName, *, checked: ContractCheck | None) -> ReplayReport:
    """Tries the rejected messages of a table again; those that can be read now are merged in their place.

    Of a table of batch loads, the objects that have rejected rows are read again.
    Idempotent. After a kill, run it again.

    Args:
        settings: The source and the lake.
        table: The source table.
        checked: Which tables are paused, and how far the contracts are known to hold; None: it is a loaded one.

    Raises:
        CommitConflict: Merges of this table won every race.
        ConfigurationError: There is no such table in this source.
        ContractMismatch: The table changed at the source; it is paused.
    """
    began = time.monotonic()
    before = _outcomes(settings, table)
    were_open = {address for address, outcome in before.items() if outcome == "rejected"}
    if were_open and checked is None:
        # dlt takes a second to import; only a replay that uses it should wait for that.
        from connectors.loads.load import replay_load  # noqa: PLC0415

        replay_load(settings, table.schema, table.name)
    elif were_open and checked is not None and not _try_alone(settings, table):
        rebuild_silver(settings, table, checked=checked)
    now = [outcome for address, outcome in _outcomes(settings, table).items() if address in were_open]
    replayed, superseded, rejected = (now.count(outcome) for outcome in ("replayed", "superseded", "rejected"))
    return ReplayReport(table, replayed, superseded, rejected, time.monotonic() - began)


def _try_alone(settings: Settings, table: TableName) -> bool:
    """Whether no rejected message can be read by now; then records why not."""
    layout = LakeLayout.of(settings)
    silver, rules = open_silver(settings, table), current_rules(layout, table)
    with DUCKDB.workspace(silver) as work:
        judge_rejected(work, layout, silver)
        open_quarantine(work.connection, layout)
        # Only a rebuild shows whether a TOAST value is known by now; the same rules give the same answer.
        query = f"""
SELECT count(*) FROM judged JOIN quarantined AS q USING ({", ".join(ADDRESS)})
WHERE source_table = $table AND q.outcome = 'rejected'
    AND (judged.outcome <> 'rejected' OR (judged.reason = $unknown AND NOT (q.reason = $unknown AND {rules.tried})))
"""  # noqa: S608 - names of our own
        parameters = {"table": str(table), "unknown": UNKNOWN_VALUE}
        [(readable,)] = work.connection.execute(query, parameters).fetchall()
        if readable == 0:
            record_outcomes(work, layout, table, rules=rules, silver_version=silver.table.version())
    return bool(readable == 0)


def _outcomes(settings: Settings, table: TableName) -> dict[tuple[Any, ...], str]:
    rows = _query(
        settings,
        f"SELECT {', '.join(ADDRESS)}, outcome FROM quarantined WHERE source_table = $table",  # noqa: S608 - as above
        table=str(table),
    )
    return {tuple(address): outcome for *address, outcome in rows}


def _query(settings: Settings, sql: str, **parameters: str | int) -> list[tuple[Any, ...]]:
    layout = LakeLayout.of(settings)
    with scratch_connection(layout.root) as connection:
        open_quarantine(connection, layout)
        return connection.execute(sql, parameters).fetchall()
