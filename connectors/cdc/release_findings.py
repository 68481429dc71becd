"""Warnings at registration about errors that an earlier release may have left in silver."""

import shlex

from connectors.cdc.merge import misleading_tables
from connectors.debezium.config import NULLS_AS_DEFAULTS
from connectors.lake.silver.schema import resync_command
from connectors.postgres.catalog import CatalogTable
from connectors.postgres.checks import Finding
from connectors.settings import Settings


def replaced_nulls(config: dict[str, str] | None, tables: list[CatalogTable]) -> list[Finding]:
    """What a connector of a release before 0.2 may have written: a column's default in place of NULL."""
    if config is None or config.get(NULLS_AS_DEFAULTS) == "false":
        return []
    return [
        Finding(
            "warning",
            str(table.contract.table),
            f"may have a default in silver where the source has NULL, in {', '.join(table.defaulted)}",
            resync_command(table.contract),
        )
        for table in tables
        if table.defaulted
    ]


def misleading_statistics(settings: Settings) -> list[Finding]:
    """Silver tables that a release before 0.2 wrote with statistics by which readers skip rows that are there."""
    return [
        Finding(
            "warning",
            str(table),
            f"has files in silver with rounded statistics of {', '.join(columns)}: readers that filter by it miss rows",
            f"lakehouse rebuild {shlex.quote(str(table))}",
        )
        for table, columns in misleading_tables(settings).items()
    ]
