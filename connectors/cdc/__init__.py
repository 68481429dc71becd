"""The operations of change data capture: drain, merge, and what registers, repairs and retires a table."""

__all__ = [
    "cadence",
    "contract_check",
    "drain",
    "drift",
    "exclusion",
    "lost_positions",
    "maintenance",
    "merge",
    "outcomes",
    "rebuild",
    "reconciliation",
    "registration",
    "release_findings",
    "removal",
    "replay",
    "reports",
    "resync",
    "retention",
    "source_status",
    "sync",
]
