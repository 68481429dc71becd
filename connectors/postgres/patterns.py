"""Selects tables by patterns like `public.*, sales.order?, !public.log`."""

import re
from collections.abc import Iterable, Sequence

from connectors.errors import ConfigurationError
from connectors.postgres.identifiers import TableName

_EXCEPT = "!"


def _glob(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(c) or re.escape(c) for c in pattern), re.DOTALL)


def _parse(pattern: str) -> TableName:
    try:
        return TableName.parse(pattern)
    except ValueError:
        raise ConfigurationError(
            f"the table pattern {pattern!r} is not of the form schema.table",
            hint="write LAKEHOUSE_CDC__TABLES like `public.*, sales.orders, !public.log`; "
            'quote a part that has a dot: `"a.b".*`',
        ) from None


def matches(pattern: str, table: TableName) -> bool:
    """Whether a pattern means a table; letter case counts, `*` and `?` stay within schema and name.

    Raises:
        ConfigurationError: The pattern is not of the form `schema.table`.
    """
    schema, name = _parse(pattern)
    return _glob(schema).fullmatch(table.schema) is not None and _glob(name).fullmatch(table.name) is not None


def is_exception(pattern: str) -> bool:
    """Whether a pattern says which tables are not meant."""
    return pattern.startswith(_EXCEPT)


def select(patterns: Sequence[str], tables: Iterable[TableName]) -> list[TableName]:
    """The tables that at least one pattern means, and no exception, sorted."""
    meant = [pattern for pattern in patterns if not is_exception(pattern)]
    exceptions = [pattern.removeprefix(_EXCEPT) for pattern in patterns if is_exception(pattern)]
    return sorted(
        table
        for table in tables
        if any(matches(pattern, table) for pattern in meant)
        and not any(matches(pattern, table) for pattern in exceptions)
    )
