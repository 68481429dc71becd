"""Merge engines: where a merge reads bronze and silver, and commits."""

__all__ = ["duckdb", "local", "partitioned", "protocol", "spark", "workers"]
