"""What a silver table says of itself to whoever finds it: where it is from, its key, what its rows mean.

In properties and comments of the Delta table, which Spark, Trino and catalogues show.
"""

import json

import pyarrow as pa

from connectors.lake.commits import committing
from connectors.lake.silver.table import SilverTable
from connectors.postgres.comments import Comments

_CURRENT = "One row per key. Rows with _cdc_deleted are gone at the source: read WHERE NOT _cdc_deleted."
_HISTORY = (
    "Every image of every row: the source table has no key. A row is there sum(_cdc_weight) times, "
    "grouped by its columns."
)
_COMMENT = "comment"


def describe(silver: SilverTable, comments: Comments) -> None:
    """Brings what the table says of itself in step with its contract and with the comments at the source.

    Raises:
        CommitConflict: Another writer committed first.
    """
    table, contract = silver.table, silver.contract
    meaning = _CURRENT if contract.key else _HISTORY
    description = f"{comments.table.strip()}\n{meaning}" if comments.table else meaning
    if table.metadata().description != description:
        with committing(table):
            table.alter.set_table_description(description)
    properties = {
        "lakehouse.source": silver.layout.source,
        "lakehouse.table": str(contract.table),
        "lakehouse.key": json.dumps(list(contract.key)),
    }
    if not properties.items() <= table.metadata().configuration.items():
        with committing(table):
            table.alter.set_table_properties(properties, raise_if_not_exists=False)
    for field in pa.schema(table.schema().to_arrow()):
        known = (field.metadata or {}).get(_COMMENT.encode(), b"").decode()
        wanted = comments.columns.get(field.name, "")
        if known != wanted:
            with committing(table):
                table.alter.set_column_metadata(field.name, {_COMMENT: wanted})
