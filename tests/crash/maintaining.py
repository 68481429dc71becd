"""Maintenance of everything, in the smallest of portions."""

from connectors.cdc.maintenance import maintain_table, maintained_tables
from connectors.settings import MaintenanceSettings


def maintain_all(settings, *, vacuum_hours=1):
    """Compacts, sorts and vacuums every table of the lake; with zero hours nothing else may run."""
    wanted = MaintenanceSettings(small_files=2).model_copy(update={"vacuum_hours": vacuum_hours})
    settings = settings.model_copy(update={"maintenance": wanted})
    for table in maintained_tables(settings):
        maintain_table(settings, table, dry_run=False)
