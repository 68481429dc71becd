"""Where flows run."""

__all__ = ["automations", "change", "cli", "deploy", "prefect_yaml", "stack", "targets", "validate"]
