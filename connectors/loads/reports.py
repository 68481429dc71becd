"""Results of loads: plain values, so that showing them does not import the loads."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class LoadReport:
    """What a load brought into one table.

    Attributes:
        source: Name of the source.
        table: Name of the table.
        rows: Rows that were written.
        commits: In how many commits.
        rejected: Rows that went to quarantine.
        new_columns: Columns that the table got.
        read_bytes: Bytes read at the source.
        consumed_capacity: Read units that DynamoDB counted.
        notes: What else to know.
        version: Delta version of the table.
        seconds: Duration.
    """

    source: str
    table: str
    rows: int
    commits: int
    rejected: int
    new_columns: tuple[str, ...]
    read_bytes: int
    consumed_capacity: float
    notes: tuple[str, ...]
    version: int
    seconds: float


@dataclass(frozen=True)
class LoadStatus:
    """How a table is.

    Attributes:
        source: Name of its source.
        table: Its name.
        rows: How many rows it has.
        loaded_at: When rows were loaded last; None: never.
        rejected: Rows in quarantine.
        version: Delta version; None: it was never loaded.
    """

    source: str
    table: str
    rows: int
    loaded_at: datetime | None
    rejected: int
    version: int | None
