"""The lake: bronze, silver, quarantine, reading back."""

__all__ = [
    "bronze",
    "commits",
    "contract_log",
    "dbt_plugin",
    "dbt_settings",
    "engines",
    "epoch_log",
    "gold",
    "layout",
    "load_table",
    "load_views",
    "log_views",
    "quarantine",
    "reader",
    "s3",
    "silver",
    "sources",
    "storage",
    "verdicts",
    "views",
]
