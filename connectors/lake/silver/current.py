"""The rows of a table without a primary key as the source has them, beside its silver, which is their history.

For readers that know nothing of weights. It is written anew when the history moved: for tables that are not large.
"""

from contextlib import suppress

import pyarrow as pa

from connectors.errors import CommitConflict
from connectors.lake.numbers import reached
from connectors.lake.silver.overwrite import overwrite_rows
from connectors.lake.silver.schema import table_properties
from connectors.lake.silver.table import SilverTable
from connectors.lake.storage import delete_table, ensure_table, open_table
from connectors.lake.views import pin_table
from connectors.postgres.checks import RESERVED_PREFIX

_HISTORY = "lakehouse.history"
_MEANING = "The rows of a table without a primary key, as the source has them. Written anew with each merge."


def is_current_stale(silver: SilverTable, *, limit: int) -> bool:
    """Whether the table of the current rows is of another version than silver; of one that is too large, whether it is.

    Args:
        silver: A table without a primary key.
        limit: Images of rows in silver up to which its current rows are written.
    """
    table = open_table(silver.layout.current(silver.contract.table))
    if silver.count() > limit:
        return table is not None
    return table is None or reached(table, _HISTORY) != silver.table.version()


def write_current(silver: SilverTable, *, limit: int) -> None:
    """Writes the current rows of what silver has, or removes them where silver has become too large.

    Two may do it at once: the newer version stays, or the next merge finds it stale.

    Args:
        silver: A table, and the version of it that is written; one with a primary key has its current rows itself.
        limit: Images of rows in silver up to which its current rows are written.
    """
    contract, uri = silver.contract, silver.layout.current(silver.contract.table)
    if contract.key:
        return
    if silver.count() > limit:
        delete_table(uri)
        return
    stored = pa.schema(silver.table.schema().to_arrow())
    schema = pa.schema([field for field in stored if not field.name.startswith(RESERVED_PREFIX)])
    properties = table_properties(silver.layout.source, contract)
    table = ensure_table(uri, schema, configuration=properties, description=_MEANING)
    done, version = reached(table, _HISTORY), silver.table.version()
    if done is not None and done >= version:
        return
    pinned = pin_table(contract.table, silver.uri, silver.table, contract)
    with suppress(CommitConflict):
        overwrite_rows(table, pinned.current, root=silver.layout.root, schema=schema, progress={_HISTORY: version})
