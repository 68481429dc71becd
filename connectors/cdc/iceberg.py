"""The lake's tables in Iceberg, by the names that people know them by."""

from collections.abc import Sequence

from connectors.cdc.outcomes import one_by_one, require_all
from connectors.errors import ConfigurationError
from connectors.lake.contract_log import latest_versions
from connectors.lake.iceberg.compare import Count, compare_readers
from connectors.lake.iceberg.mirror import MirrorReport, migrate_table, mirror_table
from connectors.lake.layout import LakeLayout, select_names, view_name
from connectors.lake.load_views import loaded_tables
from connectors.lake.storage import open_table
from connectors.loads.registry import declared_table
from connectors.settings import Settings

_SUFFIX = "_iceberg"


def iceberg_tables(settings: Settings, patterns: Sequence[str]) -> list[str]:
    """Returns the tables of the lake that patterns with `*` and `?` mean: `public.orders`, `shop_s3.clickstream`.

    Raises:
        ConfigurationError: The lake has no such table.
    """
    known = {name: uri for name, (uri, _) in _places(settings).items()}
    return [name for name in select_names(known, patterns) if open_table(known[name]) is not None]


def mirror(settings: Settings, table: str) -> MirrorReport:
    """Brings the Iceberg table of a table to its newest version; see `mirror_table`."""
    return mirror_table(settings, table, *_places(settings)[table])


def mirror_all(settings: Settings) -> list[MirrorReport]:
    """Brings the Iceberg tables that the settings name to the newest versions.

    Raises:
        ConfigurationError: The lake has no such table.
        TerminalError: Some tables were not mirrored; it names them. The others were.
    """
    tables = iceberg_tables(settings, settings.iceberg.tables)
    return require_all(one_by_one(tables, lambda table: mirror(settings, table)), done="mirrored")


def migrate(settings: Settings, table: str) -> MirrorReport:
    """Hands a table over to Iceberg; see `migrate_table`.

    Raises:
        ConfigurationError: The lake writes to it.
    """
    writer = _writer(settings, table)
    if writer:
        raise ConfigurationError(
            f"{table} is {writer}: the lake goes on writing to it, and Iceberg would not see that",
            hint=f"`lakehouse iceberg mirror '{table}'` follows it; migrate what is written to no more",
        )
    return migrate_table(settings, table, *_places(settings)[table])


def _writer(settings: Settings, table: str) -> str:
    """What writes to a table; empty: nothing any more."""
    if table == "bronze":
        return "the change log"
    versions = {str(name): version for name, version in latest_versions(LakeLayout.of(settings)).items()}
    if table in versions:
        return "captured" if versions[table].contract.captured else ""
    source, _, name = table.partition(".")
    try:
        declared_table(settings, source, name)
    except ConfigurationError:
        return ""
    return f"declared in {settings.loads.file}"


def compare(settings: Settings, table: str) -> list[Count]:
    """Reads a mirrored table in several ways; see `compare_readers`."""
    return compare_readers(settings, *_places(settings)[table])


def _places(settings: Settings) -> dict[str, tuple[str, tuple[str, str]]]:
    """Address and Iceberg identifier of every table, by name."""
    layout, prefix = LakeLayout.of(settings), settings.catalog.prefix
    places = {
        str(table): (layout.silver(table), (f"{prefix}silver{_SUFFIX}", view_name(table).lower()))
        for table in latest_versions(layout)
    }
    for source, name in loaded_tables(layout.root):
        places[f"{source}.{name}"] = (layout.load(source, name), (f"{prefix}{source}{_SUFFIX}", name.lower()))
    places["bronze"] = (layout.bronze, (f"{prefix}bronze{_SUFFIX}", f"{layout.source}_changes"))
    return places
