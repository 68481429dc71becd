"""Prefect flows: compositions of tasks."""
