"""The source database: names, types, contracts, readiness."""

__all__ = [
    "catalog",
    "checks",
    "connection",
    "contracts",
    "decoding",
    "identifiers",
    "patterns",
    "replication",
    "type_checks",
    "types",
]
