"""What an operation on the lake came to: values alone, so that who shows them need not import what does the work."""

from dataclasses import dataclass
from datetime import datetime

from connectors.postgres.identifiers import TableName


@dataclass(frozen=True)
class DrainReport:
    """What a drain brought into bronze.

    Attributes:
        source: Name of the source.
        messages: Messages committed by this run.
        batches: Micro-batches committed by this run.
        through_lsn: Everything the source committed before this LSN is in bronze; zero if no marker was drained yet.
        seconds: Duration.
        version: Delta version of bronze afterwards.
    """

    source: str
    messages: int
    batches: int
    through_lsn: int
    seconds: float
    version: int


@dataclass(frozen=True)
class MergeReport:
    """What a merge brought into one silver table.

    Attributes:
        table: The source table.
        batch: The bronze batch that silver reached.
        changes: Change events read from bronze.
        rejected: Messages that went to quarantine.
        seconds: Duration.
        version: Delta version of the silver table afterwards.
    """

    table: TableName
    batch: int
    changes: int
    rejected: int
    seconds: float
    version: int


@dataclass(frozen=True)
class RebuildReport:
    """What a rebuild came to.

    Attributes:
        table: The source table.
        changes: Change events read from bronze, by this run.
        rows: Rows of the table, as readers see it.
        differing: How many rows the old table lacked, or had too many, or had otherwise.
        version: Delta version of the silver table that has the new rows.
        seconds: Duration.
    """

    table: TableName
    changes: int
    rows: int
    differing: int
    version: int
    seconds: float


@dataclass(frozen=True)
class ReplayReport:
    """What became of the rejected messages of one table.

    Attributes:
        table: The source table.
        replayed: Messages that silver shows now.
        superseded: Messages whose place something newer has taken.
        rejected: Messages that still can't be read.
        seconds: Duration.
    """

    table: TableName
    replayed: int
    superseded: int
    rejected: int
    seconds: float


@dataclass(frozen=True)
class TableComparison:
    """What the comparison of one table found.

    Attributes:
        table: The source table.
        source_rows: Rows in the source.
        silver_rows: Current rows in silver.
        mismatches: Rows that are missing in silver, extra in silver, or different.
        keys: The first of them, each as `missing id=5`, `extra id=6` or `different id=7 in price`.
        gone: The source has the table no more; all rows that silver has are extra.
    """

    table: TableName
    source_rows: int
    silver_rows: int
    mismatches: int
    keys: tuple[str, ...]
    gone: bool = False


@dataclass(frozen=True)
class Settlement:
    """What came of a table whose definition changed without an event that says what became of its rows.

    Attributes:
        table: The source table.
        outcome: `equal`: its rows are those of the source; `read anew`; `held`: until somebody reads it anew;
            `changed again`: to be looked at by the next drain.
        why: What changed, and what was found.
        rows: Rows that were compared or read.
        seconds: Duration.
    """

    table: TableName
    outcome: str
    why: str
    rows: int
    seconds: float


@dataclass(frozen=True)
class TableState:
    """What a silver table holds.

    Attributes:
        table: The source table.
        version: Version of the Delta table.
        rows: Rows that readers see.
        newest_change: When the newest change that it shows was committed in the source; None while it is empty.
    """

    table: TableName
    version: int
    rows: int
    newest_change: datetime | None


@dataclass(frozen=True)
class SourceLag:
    """How far capturing is behind the source's log.

    Attributes:
        behind_bytes: Log that Debezium has not confirmed yet; None if there is no slot.
        retained_bytes: Log that the server keeps on its disk for it; None if there is no slot, or its log is gone.
        reading: Debezium reads from the slot now.
    """

    behind_bytes: int | None
    retained_bytes: int | None
    reading: bool
