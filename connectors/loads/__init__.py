"""Batch loads, beside the stream: dlt takes rows from sources, the lake commits them with their progress.

`load.py` loads a table and is the first file to open; `protocol.py` says what a source is; `registry.py` has those that
there are, one file each; `declaration.py` reads what a user declares.
"""

import os

# Before anything imports dlt, which else reports its use to its makers.
os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")

__all__ = [
    "batch",
    "compare",
    "declaration",
    "dynamodb",
    "dynamodb_exports",
    "dynamodb_items",
    "dynamodb_streams",
    "extraction",
    "files",
    "load",
    "names",
    "object_paths",
    "protocol",
    "reading",
    "registry",
    "reports",
    "retyping",
    "s3_objects",
    "sql_tables",
    "status",
    "types",
    "window",
]
