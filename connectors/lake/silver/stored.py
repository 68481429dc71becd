"""Reads rows that silver holds already."""

from collections.abc import Sequence

from connectors.changes.cdc_columns import POSITION, POSITION_FIELDS
from connectors.changes.columns import Column, names, sql_type
from connectors.changes.order import Position, is_below
from connectors.changes.workspace import MergeWorkspace, WorkTable
from connectors.lake.silver.table import SilverTable


def read_stored(
    work: MergeWorkspace, rows: str | None, *, keys: str, into: WorkTable = "stored", values: Sequence[Column] = ()
) -> None:
    """Creates a work table of silver's rows of some keys: key, position, whether deleted.

    Args:
        work: The work tables.
        rows: Relation of silver's rows, at the version that will be committed to; None: there are none.
        keys: Query that selects the wanted keys.
        into: The work table to create.
        values: Columns to read besides, named like the work tables' own.
    """
    wanted = (*work.columns.key, *values)
    if rows is not None:
        selected = names((*(f"{c.quoted} AS {c.value}" for c in wanted), *POSITION, "_cdc_deleted"))
        condition = f"({names(c.quoted for c in work.columns.key)}) IN ({keys})"
    else:
        rows, condition = "(SELECT 1)", "FALSE"
        of_columns = (f"(SELECT {c.value} FROM changes LIMIT 0) AS {c.value}" for c in wanted)
        of_cdc = (f"NULL::{sql_type(field.type)} AS {field.name}" for field in POSITION_FIELDS)
        selected = names((*of_columns, *of_cdc, "NULL::BOOLEAN AS _cdc_deleted"))
    work.create(into, f"SELECT {selected} FROM {rows} WHERE {condition}")


def has_below(work: MergeWorkspace, silver: SilverTable, *, low_watermark: Position) -> bool:
    """Whether silver holds rows, not deleted ones, below a low watermark."""
    rows = silver.rows()
    if rows is None:
        return False
    below = f"SELECT 1 FROM {rows} AS t WHERE NOT _cdc_deleted AND {is_below('t', low_watermark)} LIMIT 1"
    return bool(work.rows(below))
