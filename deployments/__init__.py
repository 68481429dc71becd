"""Where flows run."""

__all__ = [
    "automations",
    "change",
    "choices",
    "cli",
    "deploy",
    "prefect_yaml",
    "spark",
    "stack",
    "targets",
    "validate",
]
