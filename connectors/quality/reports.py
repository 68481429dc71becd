"""What checks of the lake found: values alone, so that who shows them need not import what does the work."""

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
        gone: The source has the table no more; all rows that silver has are extra.
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
    """How far capturing is behind the source's log.

    Attributes:
        behind_bytes: Log that Debezium has not confirmed yet; None if there is no slot.
        retained_bytes: Log that the server keeps on its disk for it; None if there is no slot, or its log is gone.
        reading: Debezium reads from the slot now.
    """

    behind_bytes: int | None
    retained_bytes: int | None
    reading: bool
