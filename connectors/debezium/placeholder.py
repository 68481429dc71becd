"""How Debezium writes a value that an update did not change and PostgreSQL therefore did not send."""

import base64
import hashlib
import json
import uuid

from connectors.postgres.contracts import ColumnContract

_TEXT_ARRAYS = frozenset(("_text", "_varchar", "_bpchar", "_json", "_jsonb"))
_INTEGER_ARRAYS = frozenset(("_int4", "_int8", "_date"))


def written(placeholder: str, column: ColumnContract) -> str | None:
    """The placeholder as it stands in a column's JSON: a string's content, else JSON text without spaces.

    None: Debezium writes `null` for this type, so that unchanged can't be told from NULL.
    """
    name = column.type_name
    if name == "bytea":
        return base64.b64encode(placeholder.encode()).decode()
    if not name.startswith("_"):
        return placeholder
    if name in _TEXT_ARRAYS:
        return _compact([placeholder])
    if name in _INTEGER_ARRAYS:
        return _compact(list(placeholder.encode()))
    if name == "_uuid":
        digest = hashlib.md5(placeholder.encode(), usedforsecurity=False).digest()
        return _compact([str(uuid.UUID(bytes=digest, version=3))])
    return None


def recognisable(column: ColumnContract) -> bool:
    """Whether an unchanged value of this column can be told from NULL."""
    return not column.toastable or written("", column) is not None


def _compact(values: list[str] | list[int]) -> str:
    return json.dumps(values, separators=(",", ":"))
