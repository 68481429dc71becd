"""Names of tables, and quoting, in one place."""

import re
from typing import NamedTuple, Self

_PLAIN_PART = re.compile(r'[^."]+')
_PARTS = re.compile(r'(?:"((?:[^"]|"")+)"|([^."]+))(?:\.|$)')


def quote_identifier(name: str) -> str:
    """Quotes an identifier for PostgreSQL and DuckDB alike: `a"b` becomes `"a""b"`."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(value: str) -> str:
    """Quotes a string literal for DuckDB, where a statement takes no parameters."""
    return "'" + value.replace("'", "''") + "'"


class TableName(NamedTuple):
    """A table by schema and name, unquoted as PostgreSQL's catalogue has them."""

    schema: str
    name: str

    def __str__(self) -> str:
        """`schema.name`; a part with a dot or a quote in it is quoted, so that no two tables read alike."""
        return ".".join(p if _PLAIN_PART.fullmatch(p) else quote_identifier(p) for p in self)

    @property
    def quoted(self) -> str:
        """Both parts quoted, for SQL."""
        return f"{quote_identifier(self.schema)}.{quote_identifier(self.name)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads what `str()` wrote.

        Raises:
            ValueError: `text` is not of the form `schema.name`.
        """
        parts, at = [], 0
        while at < len(text):
            match = _PARTS.match(text, at)
            if match is None:
                break
            parts.append(match[1].replace('""', '"') if match[1] is not None else match[2])
            at = match.end()
        if len(parts) != 2 or at != len(text) or text.endswith("."):
            raise ValueError(f"{text!r} is not a table name of the form schema.name")
        return cls(*parts)
