"""Excludes tables from capture that would stop Debezium, and with it all other tables."""

from connectors.debezium.checks import stopping_findings
from connectors.debezium.config import connector_name, publication_name, without_table
from connectors.debezium.connect import ConnectClient
from connectors.lake.contract_log import registered_versions
from connectors.lake.layout import LakeLayout
from connectors.postgres.catalog import read_tables
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import narrowed_tables, unpublish
from connectors.settings import Settings


def exclude_unsupported(settings: Settings) -> list[TableName]:
    """Excludes tables from capture whose definition Debezium does not support; returns them.

    They are paused until the cause is fixed; then `lakehouse source register` takes their snapshot again. Debezium
    still sees what was written to a table between the change and this call.

    Raises:
        ConfigurationError: The source is not registered.
        ServiceUnavailable: The source's database, or Kafka Connect, does not answer.
    """
    source, layout = settings.cdc.source, LakeLayout.of(settings)
    connector, publication = connector_name(source), publication_name(source)
    with connect(settings.postgres) as connection:
        tables = read_tables(connection, registered_versions(layout))
        stopping = [table.contract.table for table in tables if stopping_findings(table)]
        published = narrowed_tables(connection, publication) or {} if stopping else {}
        excluded = [table for table in stopping if table in published]
        for table in excluded:
            with ConnectClient(settings.connect.url) as client:
                config = client.config(connector)
                if config is not None:
                    client.stop(connector)
                    client.configure(connector, without_table(config, table))
                    client.resume(connector)
            # Last: as long as the publication names it, this is done again.
            unpublish(connection, publication, table)
    return excluded
