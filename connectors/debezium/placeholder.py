"""How Debezium writes an unchanged TOAST value, which PostgreSQL does not send."""

import base64
import hashlib
import json
import uuid
from collections.abc import Callable

from connectors.postgres.contracts import ColumnContract
from connectors.postgres.types import Unchanged, rule_for


def _base64(placeholder: str) -> str:
    return base64.b64encode(placeholder.encode()).decode()


def _uuid(placeholder: str) -> str:
    digest = hashlib.md5(placeholder.encode(), usedforsecurity=False).digest()
    return str(uuid.UUID(bytes=digest, version=3))


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


_WRITTEN: dict[Unchanged, Callable[[str], str]] = {
    "text": str,
    "base64": _base64,
    "map": lambda placeholder: _compact({placeholder: placeholder}),
    "texts": lambda placeholder: _compact([placeholder]),
    "base64s": lambda placeholder: _compact([_base64(placeholder)]),
    "codes": lambda placeholder: _compact(list(placeholder.encode())),
    "uuids": lambda placeholder: _compact([_uuid(placeholder)]),
}


def written(placeholder: str, column: ColumnContract) -> str | None:
    """The placeholder as it stands in a column's JSON: a string's content, else JSON text without spaces.

    None: Debezium can't write it for this type, so that unchanged can't be distinguished from NULL.
    """
    rule = rule_for(column)
    # Debezium knows an array by its name, which a domain does not have.
    if rule is None or rule.unchanged is None or (column.domain and column.type_name.startswith("_")):
        return None
    return _WRITTEN[rule.unchanged](placeholder)


def recognisable(column: ColumnContract) -> bool:
    """Whether an unchanged value of this column can be distinguished from NULL."""
    return not column.toastable or written("", column) is not None
