"""Prefect tasks: one verb each, over one connector call."""

__all__ = [
    "artifacts",
    "assets",
    "backfill",
    "cdc",
    "concurrency",
    "cost",
    "dbt",
    "events",
    "lake",
    "load_artifacts",
    "loads",
    "maintenance",
    "maintenance_artifacts",
    "markdown",
    "policy",
    "progress",
    "quality",
    "summaries",
    "words",
]
