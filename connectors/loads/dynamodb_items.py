"""Items of DynamoDB as texts that can be typed."""

import base64
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

NUMBER = "decimal(9)"
"""What a number is, unless it is declared otherwise."""


def texts_of(
    item: Mapping[str, Mapping[str, Any]], name_of: Callable[[str], str]
) -> tuple[dict[str, str | None], dict[str, str]]:
    """Returns the values of an item as texts, by column, and the type of each that is not NULL.

    Raises:
        ValueError: Two attributes would be one column.
    """
    row: dict[str, str | None] = {}
    kinds: dict[str, str] = {}
    for attribute, typed in item.items():
        name = name_of(attribute)
        if name in row:
            raise ValueError(f"two attributes are column {name}")
        ((tag, value),) = typed.items()
        row[name], kind = _text(tag, value)
        if kind is not None:
            kinds[name] = kind
    return row, kinds


def _text(tag: str, value: Any) -> tuple[str | None, str | None]:
    match tag:
        case "S":
            return value, "text"
        case "N":
            return _number(value), NUMBER
        case "B":
            return _base64(value), "binary"
        case "BOOL":
            return ("true" if value else "false"), "boolean"
        case "NULL":
            return None, None
    return _json(tag, value), "json"


def _json(tag: str, value: Any) -> str:
    """JSON of a value: numbers exact, sets sorted, binary in base64."""
    return _WRITERS[tag](value)


def _json_of(typed: Mapping[str, Any]) -> str:
    ((tag, value),) = typed.items()
    return _json(tag, value)


def _text_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _number(text: str) -> str:
    return format(Decimal(text), "f")


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


_WRITERS: dict[str, Callable[[Any], str]] = {
    "S": _text_json,
    "N": _number,
    "B": lambda value: _text_json(_base64(value)),
    "BOOL": _text_json,
    "NULL": lambda _: "null",
    "M": lambda value: "{" + ",".join(f"{_text_json(k)}:{_json_of(v)}" for k, v in value.items()) + "}",
    "L": lambda value: "[" + ",".join(map(_json_of, value)) + "]",
    "SS": lambda value: _text_json(sorted(value)),
    "NS": lambda value: "[" + ",".join(map(_number, sorted(value, key=Decimal))) + "]",
    "BS": lambda value: _text_json([_base64(v) for v in sorted(value)]),
}
"""How a value of each of DynamoDB's types is written as JSON."""
