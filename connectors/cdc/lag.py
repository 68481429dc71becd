"""How far the lake is behind its source: in the log of the database, in the stream, in bronze."""

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from connectors.debezium.config import topic_name
from connectors.lake.bronze import BronzeLog
from connectors.lake.contract_log import latest_versions
from connectors.lake.layout import LakeLayout, log_name
from connectors.lake.numbers import reached
from connectors.lake.silver.progress import BATCH
from connectors.postgres.identifiers import TableName
from connectors.quality.freshness import open_tables, read_lag, read_states
from connectors.quality.reports import SourceLag
from connectors.settings import Settings
from connectors.streams import open_stream


@dataclass(frozen=True)
class TableLag:
    """How far a table is behind.

    Attributes:
        table: The source table.
        undrained: Messages in the stream that no drain has taken.
        unmerged: Change events in bronze that silver has not; readers of the lake's views see them.
        waiting_since: When the oldest of these came to bronze.
        newest_change: When the newest change that readers see was committed in the source.
    """

    table: TableName
    undrained: int
    unmerged: int
    waiting_since: datetime | None
    newest_change: datetime | None


@dataclass(frozen=True)
class Lag:
    """How far the lake is behind.

    Attributes:
        source: Of capturing: what the database's log holds that is not in the stream.
        tables: Of each captured table.
    """

    source: SourceLag
    tables: tuple[TableLag, ...]


def measure_lag(settings: Settings) -> Lag:
    """Measures it, and changes no table.

    Raises:
        ConfigurationError: Database or stream are not configured, or refuse.
        PositionLost: The stream no longer holds what is to be read next.
        ServiceUnavailable: One of them does not answer.
    """
    layout = LakeLayout.of(settings)
    bronze = BronzeLog(layout)
    undrained = _undrained(settings, bronze)
    files = bronze.files()
    opened = open_tables(settings)
    newest = {state.table: state.newest_change for state in read_states(settings, opened)}
    found = []
    for table, version in sorted(latest_versions(layout).items()):
        if not version.contract.captured:
            continue
        merged = (reached(opened[table], BATCH) or 0) if table in opened else 0
        waiting = [file for file in files.get(log_name(table), ()) if file.last_batch > merged]
        since = min((file.written_at for file in waiting), default=None)
        count = undrained.get(topic_name(layout.source, table), 0)
        found.append(TableLag(table, count, sum(file.rows for file in waiting), since, newest.get(table)))
    return Lag(read_lag(settings), tuple(found))


def _undrained(settings: Settings, bronze: BronzeLog) -> dict[str, int]:
    """Messages behind the positions in bronze, by topic."""
    with closing(open_stream(settings)) as stream:
        ends = stream.end_positions()
    counts: dict[str, int] = {}
    for partition, position in bronze.positions(ends).items():
        counts[partition.topic] = counts.get(partition.topic, 0) + max(0, ends[partition] - position)
    return counts
