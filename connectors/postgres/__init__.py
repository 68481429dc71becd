"""The source database: names, types, contracts, readiness."""

__all__ = [
    "catalog",
    "catalog_queries",
    "checks",
    "comments",
    "connection",
    "contracts",
    "decoding",
    "identifiers",
    "large_rows",
    "lsn",
    "patterns",
    "replication",
    "type_checks",
    "types",
]
