"""Capture: connector configuration and Kafka Connect."""

__all__ = [
    "causes",
    "checks",
    "config",
    "connect",
    "deploy",
    "placeholder",
]
