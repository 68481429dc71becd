"""Comments on tables and columns, as `COMMENT ON` sets them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from connectors.postgres.connection import Connection
from connectors.postgres.identifiers import TableName

_COMMENTS = """
SELECT n.nspname, c.relname, a.attname, d.description
FROM pg_description AS d
JOIN pg_class AS c ON c.oid = d.objoid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
WHERE d.classoid = 'pg_class'::regclass AND c.relkind IN ('r', 'p') AND (n.nspname, c.relname) IN (
    SELECT * FROM unnest(%(schemas)s::name[], %(names)s::name[])
)
"""


@dataclass(frozen=True)
class Comments:
    """What people wrote about one table.

    Attributes:
        table: About the table; None: nothing.
        columns: About its columns, by name.
    """

    table: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


def read_comments(connection: Connection, tables: Iterable[TableName]) -> dict[TableName, Comments]:
    """Returns the comments on each of these tables; none: it has none."""
    wanted = list(tables)
    names = {"schemas": [t.schema for t in wanted], "names": [t.name for t in wanted]}
    found: dict[TableName, dict[str | None, str]] = {table: {} for table in wanted}
    for schema, name, column, comment in connection.execute(_COMMENTS, names):
        found[TableName(schema, name)][column] = comment
    return {
        table: Comments(comments.get(None), {name: text for name, text in comments.items() if name is not None})
        for table, comments in found.items()
    }
