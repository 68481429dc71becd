"""Silver: one table per source table, kept in step by merges from bronze.

`upsert` keeps the current row per primary key; `history` keeps every image of the rows of a table without one.
"""

__all__ = [
    "baseline",
    "current",
    "description",
    "history",
    "merge",
    "merge_on_read",
    "narrow",
    "overwrite",
    "pending",
    "progress",
    "purge",
    "replace",
    "saved_copy",
    "schema",
    "settle",
    "statistics",
    "stored",
    "table",
    "upsert",
]
