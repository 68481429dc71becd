"""Proof that the lake equals its sources."""

__all__ = [
    "canonical",
    "checksums",
    "comparison",
    "freshness",
    "measured",
    "reconcile",
    "reports",
]
