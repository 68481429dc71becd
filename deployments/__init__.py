"""Where flows run."""

__all__ = [
    "automations",
    "change",
    "choices",
    "cli",
    "deploy",
    "doctor",
    "prefect_yaml",
    "spark",
    "stack",
    "targets",
    "validate",
]
