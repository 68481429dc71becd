"""The source database: names, types, contracts, readiness."""

__all__ = [
    "catalog",
    "catalog_queries",
    "checks",
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
