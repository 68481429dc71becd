"""Capture: connector configuration and Kafka Connect."""

__all__ = [
    "checks",
    "config",
    "connect",
    "deploy",
    "placeholder",
]
