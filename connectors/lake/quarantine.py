"""Quarantine: rejected messages with the reason, and the outcome of their replays.

Two tables that are only ever appended to: the messages, and the outcomes. The newest outcome of a message counts, by
the version of silver that it came with; a message without one is rejected.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
from deltalake import write_deltalake

from connectors.changes.columns import names
from connectors.changes.decode import Messages
from connectors.changes.workspace import MergeWorkspace
from connectors.lake.bronze import SCHEMA as BRONZE
from connectors.lake.commits import committing, with_progress
from connectors.lake.layout import LakeLayout
from connectors.lake.numbers import reached
from connectors.lake.storage import data_files, ensure_table, open_table, scratch_connection
from connectors.postgres.identifiers import TableName, quote_literal

SCHEMA = pa.schema(
    [
        *(f for f in BRONZE if f.name != "ingest_date"),
        ("reason", pa.string()),
        ("rejected_at", pa.timestamp("us", tz="UTC")),
    ]
)
ADDRESS = ("topic_id", "stream_partition", "stream_offset")
"""Columns that identify a message of a table."""

_REPLAYS = pa.schema(
    [
        ("source_table", pa.string()),
        *(BRONZE.field(name) for name in ADDRESS),
        ("outcome", pa.string()),
        ("reason", pa.string()),
        ("contract_version", pa.int64()),
        ("release", pa.string()),
        ("silver_version", pa.int64()),
        ("tried_at", pa.timestamp("us", tz="UTC")),
    ]
)


@dataclass(frozen=True)
class Rules:
    """By what messages are read.

    Attributes:
        contract_version: Version of the table contract.
        release: Version of this library.
    """

    contract_version: int
    release: str

    @property
    def tried(self) -> str:
        """The condition that a message in quarantine was last tried by these rules."""
        rules = f"{self.contract_version}, {quote_literal(self.release)}"
        return f'(contract_version, "release") IS NOT DISTINCT FROM ({rules})'


def quarantine_rejected(work: MergeWorkspace, layout: LakeLayout, *, table: TableName, messages: Messages) -> int:
    """Keeps the messages named in the table `rejected` (their stream address and `reason`); returns how many are new.

    A merge that is run again, or into another table, adds nothing twice.

    Raises:
        CommitConflict: Another merge committed first; run this one again.
    """
    target = ensure_table(layout.quarantine, SCHEMA)
    name = f"v1/batch/{table}"
    # In every commit, so that of two merges that both find a message one has to look again.
    progress = {name: max(reached(target, name) or 0, messages.up_to_batch)}
    _open(work.connection, "kept", layout.quarantine, SCHEMA)
    rows = work.connection.sql(_select(table, messages)).to_arrow_table().cast(SCHEMA)
    if len(rows) > 0:
        with committing(target):
            write_deltalake(target, rows, mode="append", commit_properties=with_progress(progress))
    return len(rows)


@dataclass(frozen=True)
class RejectedRow:
    """A row of a batch load that can't be read.

    Attributes:
        file: The object, or the table, that it is from.
        version: Which version of it.
        line: Its line, or its number; zero: all of the object, or a row that has none.
        reason: Why.
        raw: How it begins, as received.
    """

    file: str
    version: str
    line: int
    reason: str
    raw: bytes = b""


def quarantine_rows(layout: LakeLayout, table: TableName, rows: Sequence[RejectedRow], *, number: int) -> int:
    """Keeps rows of a batch load; returns how many are new: a load that is run again adds nothing twice.

    Args:
        layout: The lake.
        table: Source and table of the load.
        rows: The rows.
        number: Number of the load.

    Raises:
        CommitConflict: Another writer committed first; load again.
    """
    if not rows:
        return 0
    target = ensure_table(layout.quarantine, SCHEMA)
    name = f"v1/batch/{table}"
    progress = {name: (reached(target, name) or 0) + 1}
    now = datetime.now(UTC)
    with scratch_connection(layout.root) as connection:
        _open(connection, "kept", layout.quarantine, SCHEMA)
        messages = [_as_message(row, table, number, now) for row in rows]
        connection.register("arriving", pa.Table.from_pylist(messages, SCHEMA))
        query = (
            f"FROM arriving WHERE ({names(ADDRESS)}) NOT IN"
            f" (SELECT ({names(ADDRESS)}) FROM kept WHERE source_table = {quote_literal(str(table))})"
        )
        new = connection.sql(query).to_arrow_table().cast(SCHEMA)
        connection.unregister("arriving")
    if len(new) > 0:
        with committing(target):
            write_deltalake(target, new, mode="append", commit_properties=with_progress(progress))
    return len(new)


def settle_rows(
    layout: LakeLayout,
    table: TableName,
    *,
    read: Mapping[str, str] | None,
    rejected: Iterable[RejectedRow],
    version: int,
    release: str,
) -> None:
    """Records what became of the rows in quarantine that a load has read again.

    A row that is not rejected any more was replayed, if it was of the version that was read; else something newer has
    taken its place.

    Args:
        layout: The lake.
        table: Source and table of the load.
        read: Version of each file that was read, empty if it is gone; None: all of the table was.
        rejected: The rows that still can't be read.
        version: Delta version of the table that has the rows.
        release: Version of this library.

    Raises:
        CommitConflict: Another writer committed first.
    """
    still = {(f"{row.file}@{row.version}", 0, row.line): row.reason for row in rejected}
    outcomes: dict[tuple[Any, ...], tuple[str, str | None]] = {}
    settled: tuple[str, str | None]
    for address, file, outcome in _known_rows(layout, table):
        if address in still:
            settled = "rejected", still[address]
        elif read is None or file in read:
            same = read is not None and address[0] == f"{file}@{read[file]}"
            settled = "replayed" if same else "superseded", None
        else:
            continue
        # Of what is settled already, it is no news in which way.
        if (settled[0] == "rejected") != (outcome == "rejected"):
            outcomes[address] = settled
    _settle(layout, table, outcomes, version=version, release=release)


def supersede_rows(
    layout: LakeLayout, table: TableName, versions: Mapping[str, str], *, version: int, release: str
) -> None:
    """Settles rejected rows of objects that were loaded in another version since, or are gone, where a load was killed.

    Args:
        layout: The lake.
        table: Source and table of the load.
        versions: Version of every object that the table has.
        version: Delta version of the table.
        release: Version of this library.

    Raises:
        CommitConflict: Another writer committed first.
    """
    outcomes: dict[tuple[Any, ...], tuple[str, str | None]] = {}
    for address, file, outcome in _known_rows(layout, table):
        # Of an object that vanished before it was read something may still come.
        passed = address[0] != f"{file}@{versions[file]}" if file in versions else address[2] > 0
        if outcome == "rejected" and passed:
            outcomes[address] = "superseded", None
    _settle(layout, table, outcomes, version=version, release=release)


def _known_rows(layout: LakeLayout, table: TableName) -> list[tuple[tuple[Any, ...], str, str]]:
    """Address, file and outcome of every row of a loaded table that was ever rejected."""
    with scratch_connection(layout.root) as connection:
        open_quarantine(connection, layout)
        query = f"SELECT {names(ADDRESS)}, decode(key), outcome FROM quarantined WHERE source_table = $1"
        found = connection.execute(query, [str(table)]).fetchall()
    return [(tuple(row[:-2]), row[-2], row[-1]) for row in found]


def _settle(
    layout: LakeLayout,
    table: TableName,
    outcomes: Mapping[tuple[Any, ...], tuple[str, str | None]],
    *,
    version: int,
    release: str,
) -> None:
    facts = {"source_table": str(table), "release": release, "silver_version": version, "tried_at": datetime.now(UTC)}
    rows = [
        {**facts, **dict(zip(ADDRESS, address, strict=True)), "outcome": outcome, "reason": reason}
        for address, (outcome, reason) in outcomes.items()
    ]
    if rows:
        target = ensure_table(layout.replays, _REPLAYS)
        with committing(target):
            write_deltalake(target, pa.Table.from_pylist(rows, _REPLAYS), mode="append")


def rejected_files(layout: LakeLayout, table: TableName) -> set[str]:
    """Returns the files of which rows of a loaded table are rejected."""
    with scratch_connection(layout.root) as connection:
        open_quarantine(connection, layout)
        query = "SELECT DISTINCT decode(key) FROM quarantined WHERE source_table = $1 AND outcome = 'rejected'"
        return {file for (file,) in connection.execute(query, [str(table)]).fetchall()}


def _as_message(row: RejectedRow, table: TableName, number: int, now: datetime) -> dict[str, Any]:
    where = {"file": row.file, "line": str(row.line), "version": row.version}
    return {
        "source_table": str(table),
        "batch": number,
        "topic_id": f"{row.file}@{row.version}",
        "stream_partition": 0,
        "stream_offset": row.line,
        "key": row.file.encode(),
        "value": row.raw,
        "headers": [(name, value.encode()) for name, value in where.items()],
        "stream_time": now,
        "reason": row.reason,
        "rejected_at": now,
    }


def quarantined_messages(layout: LakeLayout, table: TableName, *, up_to_batch: int) -> Messages:
    """Returns the messages of a table that were ever rejected."""
    found = open_table(layout.quarantine)
    files = [] if found is None else [f["path"] for f in data_files(layout.quarantine, found)]
    return Messages(files, 0, up_to_batch, table)


def open_quarantine(connection: duckdb.DuckDBPyConnection, layout: LakeLayout) -> None:
    """Makes the view `quarantined`: the messages with `outcome`, newest `reason`, and how they were tried last."""
    _open(connection, "kept", layout.quarantine, SCHEMA)
    _open(connection, "replays", layout.replays, _REPLAYS)
    same = ("source_table", *ADDRESS)
    connection.execute(f"""
CREATE OR REPLACE TEMP VIEW quarantined AS
SELECT kept.* EXCLUDE (reason), coalesce(tried.outcome, 'rejected') AS outcome,
    coalesce(tried.reason, kept.reason) AS reason, contract_version, "release", silver_version, tried_at
FROM kept LEFT JOIN (
    FROM replays
    QUALIFY row_number() OVER (PARTITION BY {names(same)} ORDER BY silver_version DESC, tried_at DESC) = 1
) AS tried USING ({names(same)})
""")


def first_rejected_batch(layout: LakeLayout, table: TableName) -> int | None:
    """Returns the batch of the first message of a table that is rejected; None if none is."""
    with scratch_connection(layout.root) as connection:
        open_quarantine(connection, layout)
        query = f"""
SELECT min(batch) FROM quarantined WHERE outcome = 'rejected' AND source_table = {quote_literal(str(table))}
"""
        [(batch,)] = connection.execute(query).fetchall()
    return None if batch is None else int(batch)


def count_rejected(layout: LakeLayout) -> dict[str, int]:
    """Returns how many messages and rows are rejected, by source table."""
    with scratch_connection(layout.root) as connection:
        open_quarantine(connection, layout)
        query = "SELECT source_table, count(*) FROM quarantined WHERE outcome = 'rejected' GROUP BY 1"
        return dict(connection.execute(query).fetchall())


def record_outcomes(
    work: MergeWorkspace, layout: LakeLayout, table: TableName, *, rules: Rules, silver_version: int
) -> None:
    """Appends what the table `judged` says (stream address, `outcome`, `reason`) where it says something new."""
    open_quarantine(work.connection, layout)
    computed = {
        "outcome": "judged.outcome",
        "reason": "judged.reason",
        "contract_version": str(rules.contract_version),
        "release": quote_literal(rules.release),
        "silver_version": str(silver_version),
        "tried_at": "now()",
    }
    columns = (f'{computed[n]} AS "{n}"' if n in computed else n for n in _REPLAYS.names)
    # Of what is settled already, it is no news in which way.
    query = f"""
SELECT {names(columns)} FROM judged JOIN quarantined AS q USING ({names(ADDRESS)})
WHERE source_table = {quote_literal(str(table))}
    AND if(judged.outcome = 'rejected',
        NOT (q.outcome = 'rejected' AND q.reason = judged.reason AND {rules.tried}), q.outcome = 'rejected')
"""
    rows = work.connection.sql(query).to_arrow_table().cast(_REPLAYS)
    if len(rows) > 0:
        target = ensure_table(layout.replays, _REPLAYS)
        with committing(target):
            write_deltalake(target, rows, mode="append")


def _open(connection: duckdb.DuckDBPyConnection, name: str, uri: str, schema: pa.Schema) -> None:
    """Makes the view of a table's rows, at its newest version."""
    table = open_table(uri)
    files = [] if table is None else [quote_literal(f["path"]) for f in data_files(uri, table)]
    if files:
        rows = f"read_parquet([{names(files)}], hive_partitioning = false)"
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS FROM {rows}")
    else:
        connection.register(name, schema.empty_table())


def _select(table: TableName, messages: Messages) -> str:
    computed: dict[str, str] = {"source_table": quote_literal(str(table)), "rejected_at": "now()"}
    columns: Sequence[str] = [f"{computed[n]} AS {n}" if n in computed else n for n in SCHEMA.names]
    return (
        f"SELECT {names(columns)} FROM {messages.sql} JOIN rejected USING ({names(ADDRESS)})"
        f" WHERE ({names(ADDRESS)}) NOT IN"
        f" (SELECT ({names(ADDRESS)}) FROM kept WHERE source_table = {computed['source_table']})"
    )
