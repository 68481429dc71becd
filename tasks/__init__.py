"""Prefect tasks: one verb each, over one connector call."""
