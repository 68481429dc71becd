"""File statistics of silver: kept for columns whose minimum and maximum Delta's log can hold exactly.

The log has them as JSON numbers. A decimal of more than 15 digits is rounded there, and NaN is omitted: whoever skips
files by such bounds, a merge or a stranger's query, skips files that hold what is looked for.
"""

import pyarrow as pa
from deltalake import DeltaTable

from connectors.changes.cdc_columns import CDC_COLUMNS
from connectors.changes.columns import Column, Columns
from connectors.lake.commits import committing
from connectors.lake.storage import data_files
from connectors.postgres.types import decimal_digits

_PROPERTY = "delta.dataSkippingStatsColumns"
_MOST_COLUMNS = 32
_EXACT_DIGITS = 15
_EXACT_TYPES = (pa.int64(), pa.bool_(), pa.string(), pa.date32(), pa.timestamp("us", tz="UTC"))


def has_exact_statistics(column: Column) -> bool:
    """Whether the file statistics of a column can be trusted."""
    if pa.types.is_decimal(column.rule.arrow):
        digits = decimal_digits(column.contract)
        return digits is not None and digits <= _EXACT_DIGITS
    return column.rule.arrow in _EXACT_TYPES


def statistics_columns(columns: Columns) -> tuple[str, ...]:
    """Returns the columns that have statistics: the key first, then our own, 32 at the most."""
    key, others = ([c.name for c in found if has_exact_statistics(c)] for found in (columns.key, columns.all))
    return tuple(dict.fromkeys((*key, *CDC_COLUMNS, *others)))[:_MOST_COLUMNS]


def statistics_properties(columns: Columns) -> dict[str, str]:
    """Returns the table property that keeps all other statistics out."""
    wanted = statistics_columns(columns)
    # Always quoted: of a list that it can't read, delta-rs takes every column.
    return {_PROPERTY: ",".join(f"`{name.replace('`', '``')}`" for name in wanted)}


def adopt_statistics(table: DeltaTable, columns: Columns) -> None:
    """Sets the property of a table that was made without it, or before its contract changed.

    Raises:
        CommitConflict: Another writer committed first.
    """
    properties = statistics_properties(columns)
    if table.metadata().configuration.get(_PROPERTY) != properties[_PROPERTY]:
        with committing(table):
            table.alter.set_table_properties(properties)


def misleading_columns(table: DeltaTable, uri: str, columns: Columns) -> list[str]:
    """Names the columns of which some file keeps statistics that may be wrong: a rebuild writes such files again."""
    inexact = [c.name for c in columns.all if not has_exact_statistics(c)]
    files = data_files(uri, table) if inexact else []
    return [n for n in inexact if any(f.get(f"{end}.{n}") is not None for f in files for end in ("min", "max"))]
