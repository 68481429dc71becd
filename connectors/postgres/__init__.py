"""The source database: names, types, contracts, readiness."""
