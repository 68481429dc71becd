"""Results of checks: plain values, so that showing them does not import the checks."""

from dataclasses import dataclass
from datetime import datetime

from connectors.postgres.identifiers import TableName


@dataclass(frozen=True)
class TableComparison:
    """What the comparison of one table found.

    Attributes:
        table: The source table.
        source_rows: Rows in the source.
        silver_rows: Current rows in silver.
        mismatches: Rows that are missing in silver, extra in silver, or different.
        keys: The first of them, each as `missing id=5`, `extra id=6` or `different id=7 in price`.
        gone: The table was dropped at the source; all rows of silver are extra.
    """

    table: TableName
    source_rows: int
    silver_rows: int
    mismatches: int
    keys: tuple[str, ...]
    gone: bool = False


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
    """The replication lag of a source.

    Attributes:
        behind_bytes: WAL that Debezium has not confirmed yet; None if there is no slot.
        retained_bytes: WAL that the server retains for it; None if there is no slot, or its WAL is gone.
        reading: Debezium reads from the slot now.
        limit_bytes: WAL that the server retains at the most before it drops the slot; None: all.
    """

    behind_bytes: int | None
    retained_bytes: int | None
    reading: bool
    limit_bytes: int | None = None
