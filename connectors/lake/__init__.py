"""The lake: bronze, silver, quarantine, reading back."""

__all__ = [
    "bronze",
    "commits",
    "contract_log",
    "dbt_plugin",
    "engines",
    "epoch_log",
    "gold",
    "layout",
    "quarantine",
    "reader",
    "s3",
    "silver",
    "storage",
    "verdicts",
    "views",
]
