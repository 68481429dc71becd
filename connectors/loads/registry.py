"""The sources there are, by the name that a declaration gives as `type`."""

from connectors.errors import ConfigurationError
from connectors.loads.declaration import Declaration, SourceSpec, TableSpec, read_declaration
from connectors.loads.dynamodb import DynamoDb
from connectors.loads.protocol import Source
from connectors.loads.s3_objects import S3Objects
from connectors.loads.sql_tables import SqlTables
from connectors.settings import Settings

SOURCES: dict[str, type[Source]] = {"dynamodb": DynamoDb, "s3_objects": S3Objects, "sql_tables": SqlTables}


def read_sources(settings: Settings) -> Declaration:
    """Reads what is declared.

    Raises:
        ConfigurationError: It is wrong; names every line that is.
    """
    kinds = {name: source.spec for name, source in SOURCES.items()}
    return read_declaration(settings.loads.file, kinds=kinds, taken=settings.cdc.source)


def declared_table(settings: Settings, source: str, table: str) -> tuple[SourceSpec, TableSpec]:
    """Returns the declarations of a source and of one of its tables.

    Raises:
        ConfigurationError: There is no such source, or no such table, or it needs a salt that is not set.
    """
    declared = read_sources(settings).source(source)
    if table not in declared.tables:
        raise ConfigurationError(
            f"{settings.loads.file}: source {source} has no table {table!r}",
            hint=f"it has {', '.join(declared.tables)}",
        )
    spec = declared.tables[table]
    if "hash" in spec.pii.values() and settings.loads.pii_salt is None:
        raise ConfigurationError(
            f"{source}.{table} has columns to hash, and there is no salt", hint="set LAKEHOUSE_LOADS__PII_SALT"
        )
    return declared, spec


def open_source(settings: Settings, source: str, table: str) -> tuple[Source, TableSpec]:
    """Opens a source for one of its tables; returns both.

    Raises:
        ConfigurationError: There is no such source, or no such table, or it needs a salt that is not set.
    """
    declared, spec = declared_table(settings, source, table)
    return SOURCES[declared.type](settings, declared), spec
