"""Data freshness per silver table, and the replication lag of the source."""

from datetime import datetime

from connectors.debezium.config import slot_name
from connectors.lake.fresh import newest_pending
from connectors.lake.storage import scratch_connection
from connectors.lake.views import PinnedTable, pin_silver
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName, quote_literal
from connectors.postgres.replication import current_lsn, read_slot
from connectors.quality.reports import SourceLag, TableState
from connectors.settings import Settings


def read_states(settings: Settings, tables: list[TableName] | None = None) -> list[TableState]:
    """Returns the state of silver tables, by default of all that were ever written.

    Rows are those of the last merge: to count pending ones would be to fold them.
    """
    pinned = pin_silver(settings.lake.root, settings.cdc.source, tables).tables
    pending = newest_pending(settings)
    return [_state(settings.lake.root, table, pending.get(table.table)) for table in pinned]


def read_lag(settings: Settings) -> SourceLag:
    """Asks the source how far capturing is behind.

    Raises:
        ServiceUnavailable: The database does not answer.
    """
    with connect(settings.postgres) as connection:
        slot = read_slot(connection, slot_name(settings.cdc.source))
        now = current_lsn(connection)
    if slot is None:
        return SourceLag(behind_bytes=None, retained_bytes=None, reading=False)
    behind = None if slot.confirmed_lsn is None else max(0, now - slot.confirmed_lsn)
    return SourceLag(behind_bytes=behind, retained_bytes=slot.retained_bytes, reading=slot.active)


def measure_freshness(settings: Settings) -> tuple[list[TableState], SourceLag]:
    """Measures the freshness of all silver tables, and the replication lag of their source.

    Raises:
        ServiceUnavailable: The database does not answer.
    """
    return read_states(settings), read_lag(settings)


def _state(root: str, pinned: PinnedTable, pending: datetime | None) -> TableState:
    if not pinned.files:
        return TableState(pinned.table, pinned.version, 0, pending)
    # Of a history, the weights add up to the rows that are left. Both are two columns of the files, not the rows.
    rows = "sum(_cdc_weight)" if pinned.is_history else "count(*) FILTER (NOT _cdc_deleted)"
    files = ", ".join(map(quote_literal, pinned.files))
    query = (
        f"SELECT coalesce({rows}, 0), max(_cdc_committed_at) FROM read_parquet([{files}], hive_partitioning = false)"
    )
    with scratch_connection(root) as connection:
        [(count, newest)] = connection.execute(query).fetchall()
    return TableState(pinned.table, pinned.version, int(count), max(filter(None, (newest, pending)), default=None))
