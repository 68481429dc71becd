"""What a silver table says of itself to whoever finds it: where it is from, its key, what its rows mean.

In properties and comments of the Delta table, which Spark, Trino and catalogues show.
"""

import pyarrow as pa

from connectors.lake.commits import committing
from connectors.lake.silver.schema import meaning_of, table_properties
from connectors.lake.silver.table import SilverTable
from connectors.postgres.comments import Comments

_COMMENT = "comment"


def describe(silver: SilverTable, comments: Comments) -> None:
    """Brings what the table says of itself in step with its contract and with the comments at the source.

    Raises:
        CommitConflict: Another writer committed first.
    """
    table, contract = silver.table, silver.contract
    meaning = meaning_of(contract)
    description = f"{comments.table.strip()}\n{meaning}" if comments.table else meaning
    if table.metadata().description != description:
        with committing(table):
            table.alter.set_table_description(description)
    properties = table_properties(silver.layout.source, contract)
    # Of a table that an earlier release made, or whose key changed.
    if not properties.items() <= table.metadata().configuration.items():
        with committing(table):
            table.alter.set_table_properties(properties, raise_if_not_exists=False)
    for field in pa.schema(table.schema().to_arrow()):
        known = (field.metadata or {}).get(_COMMENT.encode(), b"").decode()
        wanted = comments.columns.get(field.name, "")
        if known != wanted:
            with committing(table):
                table.alter.set_column_metadata(field.name, {_COMMENT: wanted})
