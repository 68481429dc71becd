"""Results of operations: plain values, so that showing them does not import the operations."""

from dataclasses import dataclass

from connectors.emr.runs import JobRun
from connectors.lake.maintenance.steps import Step
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
    """The result of a rebuild or resync.

    Attributes:
        table: The source table.
        changes: Change events read from bronze, by this run.
        rows: Rows of the table, as readers see it.
        differing: Rows that the old table lacked, had in excess, or had with other values.
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
    """The outcome of the rejected messages of one table.

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
    """The outcome of schema drift that no event explains.

    Attributes:
        table: The source table.
        outcome: `equal`: its rows are those of the source; `resynced`; `paused`: until `lakehouse resync`;
            `changed again`: the next drain looks at it.
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
class MaintenanceReport:
    """What was, or would be, done to one table of the lake.

    Attributes:
        table: `public.orders` of silver, `shop_s3.clickstream` of a load, `bronze`, or another table of our own.
        steps: What was worth it; none: nothing.
        seconds: Duration.
    """

    table: str
    steps: tuple[Step, ...]
    seconds: float


@dataclass(frozen=True)
class SparkReport:
    """What a job on Spark did.

    Attributes:
        tables: The source tables whose silver it brought up to date, or rebuilt.
        job: The job.
        logs: Where the log of its driver stays; None: EMR alone has it, for 30 days.
    """

    tables: tuple[TableName, ...]
    job: JobRun
    logs: str | None
