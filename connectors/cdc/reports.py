"""What an operation on the lake came to: values alone, so that who shows them need not import what does the work."""

from dataclasses import dataclass

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
class DriftReport:
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
