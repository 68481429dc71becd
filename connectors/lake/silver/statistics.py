"""Which columns of silver keep file statistics: those whose smallest and greatest value Delta's log can say exactly.

The log has them as JSON numbers. A decimal of more than 15 digits is rounded there, and NaN is left out: whoever skips
files by such bounds, a merge or a stranger's query, skips files that hold what is looked for.
"""

from collections.abc import Iterable

import pyarrow as pa
from deltalake import DeltaTable

from connectors.changes.columns import Column, Columns
from connectors.lake.commits import committing
from connectors.lake.layout import CDC_COLUMNS
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


def statistics_properties(columns: Columns) -> dict[str, str]:
    """Returns the table property that keeps all other statistics out: the key first, then our own, 32 at the most."""
    exact = [c.name for c in (*columns.key, *columns.all) if has_exact_statistics(c)]
    key = exact[: sum(map(has_exact_statistics, columns.key))]
    wanted = list(dict.fromkeys((*key, *CDC_COLUMNS, *exact)))[:_MOST_COLUMNS]
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


def misleading_columns(table: DeltaTable, columns: Columns) -> list[str]:
    """Names the columns of which some file keeps statistics that may be wrong: a rebuild writes such files again."""
    kept = pa.table(table.get_add_actions(flatten=True))
    inexact = (c.name for c in columns.all if not has_exact_statistics(c))
    return [name for name in inexact if _has_values(kept, (f"min.{name}", f"max.{name}"))]


def _has_values(actions: pa.Table, names: Iterable[str]) -> bool:
    return any(name in actions.column_names and actions[name].null_count < len(actions) for name in names)
