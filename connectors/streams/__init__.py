"""Streams that carry change events."""
