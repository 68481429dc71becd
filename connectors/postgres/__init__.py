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
    "lsn",
    "patterns",
    "replication",
    "type_checks",
    "types",
]
