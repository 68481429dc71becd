"""Data freshness per silver table, and the replication lag of the source."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from deltalake import DeltaTable

from connectors.debezium.config import slot_name
from connectors.lake.contract_log import latest_versions
from connectors.lake.fresh import newest_pending
from connectors.lake.layout import LakeLayout
from connectors.lake.storage import open_table, scratch_connection
from connectors.lake.views import PinnedTable, pin_table
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName, quote_literal
from connectors.postgres.replication import current_lsn, read_slot, slot_wal_limit
from connectors.quality.measured import Measured, files_of, read_measured, record_measured
from connectors.quality.reports import SourceLag, TableState
from connectors.settings import Settings


def open_tables(settings: Settings, tables: Iterable[TableName] | None = None) -> dict[TableName, DeltaTable]:
    """Opens silver tables, by default all that were ever captured; one that was never written is left out."""
    layout = LakeLayout.of(settings)
    wanted = latest_versions(layout) if tables is None else tables
    found = {name: open_table(layout.silver(name)) for name in sorted(wanted)}
    return {name: table for name, table in found.items() if table is not None}


def read_states(settings: Settings, opened: Mapping[TableName, DeltaTable]) -> list[TableState]:
    """Returns the state of silver tables.

    Rows are those of the last merge: to count pending ones would be to fold them.

    Args:
        settings: The source and the lake.
        opened: The tables, at their newest versions.
    """
    layout = LakeLayout.of(settings)
    pinned = [pin_table(name, layout.silver(name), table) for name, table in opened.items()]
    pending = newest_pending(settings, opened)
    known = read_measured(layout)
    measured = {str(table.table): _measure(layout.root, table, known.get(str(table.table))) for table in pinned}
    if not measured.items() <= known.items():
        record_measured(layout, known | measured)
    return [_state(table, measured[str(table.table)], pending.get(table.table)) for table in pinned]


def read_lag(settings: Settings) -> SourceLag:
    """Asks the source how far capturing is behind.

    Raises:
        ServiceUnavailable: The database does not answer.
    """
    with connect(settings.postgres) as connection:
        slot = read_slot(connection, slot_name(settings.cdc.source))
        now, limit = current_lsn(connection), slot_wal_limit(connection)
    if slot is None:
        return SourceLag(behind_bytes=None, retained_bytes=None, reading=False, limit_bytes=limit)
    behind = None if slot.confirmed_lsn is None else max(0, now - slot.confirmed_lsn)
    return SourceLag(behind, slot.retained_bytes, slot.active, limit)


def measure_freshness(settings: Settings) -> tuple[list[TableState], SourceLag]:
    """Measures the freshness of all silver tables, and the replication lag of their source.

    Raises:
        ServiceUnavailable: The database does not answer.
    """
    return read_states(settings, open_tables(settings)), read_lag(settings)


def _measure(root: str, pinned: PinnedTable, known: Measured | None) -> Measured:
    files = files_of(pinned)
    if known is not None and known.files == files:
        return known
    if not pinned.files:
        return Measured(files, 0, None)
    # Of a history, the weights add up to the rows that are left. Both are two columns of the files, not the rows.
    rows = "sum(_cdc_weight)" if pinned.is_history else "count(*) FILTER (NOT _cdc_deleted)"
    paths = ", ".join(map(quote_literal, pinned.files))
    query = (
        f"SELECT coalesce({rows}, 0), max(_cdc_committed_at) FROM read_parquet([{paths}], hive_partitioning = false)"
    )
    with scratch_connection(root) as connection:
        [(count, newest)] = connection.execute(query).fetchall()
    return Measured(files, int(count), newest)


def _state(pinned: PinnedTable, found: Measured, pending: datetime | None) -> TableState:
    newest = max(filter(None, (found.newest_change, pending)), default=None)
    return TableState(pinned.table, pinned.version, found.rows, newest)
