"""The source database: names, types, contracts, readiness."""

__all__ = [
    "catalog",
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
