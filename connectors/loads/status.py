"""How every declared table is, and what a load of it would read."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from connectors.lake.layout import LakeLayout
from connectors.lake.load_table import LoadState, read_load_state
from connectors.lake.quarantine import count_rejected
from connectors.lake.storage import data_files, open_table
from connectors.loads.protocol import Estimate
from connectors.loads.registry import declared_table, open_source, read_sources
from connectors.loads.reports import LoadStatus
from connectors.loads.window import Window
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings


def declared_tables(settings: Settings, source: str, tables: Sequence[str] = ()) -> list[TableName]:
    """Returns tables of a source, all or those that are named.

    Raises:
        ConfigurationError: There is no such source, or no such table.
    """
    declared = read_sources(settings).source(source)
    for table in tables:
        declared_table(settings, source, table)
    return [TableName(source, table) for table in (tables or declared.tables)]


def tables_with_days(settings: Settings) -> list[TableName]:
    """Returns the declared tables that can be loaded by day."""
    declared = read_sources(settings).sources
    return [TableName(s, t) for s, spec in declared.items() for t, table in spec.tables.items() if table.has_days]


def read_status(settings: Settings, source: str | None = None) -> list[LoadStatus]:
    """Returns the state of all declared tables, or of those of one source.

    Raises:
        ConfigurationError: There is no such source.
    """
    declared = read_sources(settings)
    chosen = declared.sources if source is None else {source: declared.source(source)}
    layout = LakeLayout.of(settings)
    rejected = Counter(count_rejected(layout))
    found = []
    for name, spec in chosen.items():
        for table in spec.tables:
            uri = layout.load(name, table)
            opened, state = open_table(uri), read_load_state(uri)
            rows = 0 if opened is None else sum(file["num_records"] for file in data_files(uri, opened))
            loaded_at = None if state is None or state.loaded_at is None else datetime.fromisoformat(state.loaded_at)
            version = None if opened is None else opened.version()
            count = rejected[str(TableName(name, table))]
            found.append(LoadStatus(name, table, rows, loaded_at, count, version))
    return found


def estimate_load(settings: Settings, source: str, table: str, window: Window) -> Estimate:
    """Says what a load of a table would read.

    Raises:
        ConfigurationError: There is no such table, or the source refuses.
        ServiceUnavailable: The source does not answer.
    """
    opened, spec = open_source(settings, source, table)
    state = read_load_state(LakeLayout.of(settings).load(source, table)) or LoadState()
    return opened.estimate(table, spec, state.progress, window)
