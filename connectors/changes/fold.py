"""Folds several changes of one key into one, in DuckDB.

Works on the table `changes` (the rows of `decode_sql` that were not rejected) and leaves the table `folded`:
a row per key with its newest position, every value that the changes carry, and per toastable column a flag that the
value is still the one in silver. Unchanged TOAST values must be known: `toast` sees to that.
"""

from connectors.changes.cdc_columns import CHANGE_COLUMNS
from connectors.changes.columns import names
from connectors.changes.order import newest_first
from connectors.changes.toast import has_kept
from connectors.changes.workspace import MergeWorkspace


def fold_changes(work: MergeWorkspace) -> None:
    """Makes `folded` from `changes`.

    A delete keeps the values that the row had: those of the newest change before it, if any is here (`has_image`),
    else those in silver.
    """
    columns, keys = work.columns, work.columns.keys
    last = f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {newest_first('changes')}) = 1"
    of_last = names(f"last.{name}" for name in (*CHANGE_COLUMNS, *(c.value for c in columns.key)))
    of_image = names(
        f"image.{name}"
        for c in columns.all
        if not c.is_key
        for name in ((c.value, c.keep) if c.toastable else (c.value,))
    )
    same_key = " AND ".join(f"last.{c.value} = image.{c.value}" for c in columns.key)
    selected = f"{of_last}{', ' if of_image else ''}{of_image}"
    work.create(
        "folded",
        f"""
WITH last AS MATERIALIZED (SELECT * FROM changes {last}),
image AS (
    SELECT * FROM changes
    WHERE _cdc_op <> 'd' AND ({keys}) IN (SELECT ({keys}) FROM last WHERE _cdc_op = 'd')
    {last}
)
SELECT {selected.replace("image.", "last.")}, TRUE AS has_image FROM last WHERE _cdc_op <> 'd'
UNION ALL
SELECT {selected}, image._cdc_op IS NOT NULL AS has_image
FROM last LEFT JOIN image ON {same_key} WHERE last._cdc_op = 'd'
""",
    )
    if has_kept(work):
        _fill_from_changes(work)


def _fill_from_changes(work: MergeWorkspace) -> None:
    """Fills an unchanged TOAST value of the newest change from the newest change of that key which carries it."""
    columns = work.columns
    fills = names(
        f"arg_max(struct_pack(v := {c.value}), age) FILTER (NOT {c.keep}) AS fill_{c.value}" for c in columns.toastable
    )
    key_of = names(f"folded.{c.value}" for c in columns.key)
    same_key = " AND ".join(f"folded.{c.value} = filled.{c.value}" for c in columns.key)
    updates = names(
        f"{c.value} = if({c.keep} AND fill_{c.value} IS NOT NULL, fill_{c.value}.v, folded.{c.value}), "
        f"{c.keep} = {c.keep} AND fill_{c.value} IS NULL"
        for c in columns.toastable
    )
    work.execute(f"""
UPDATE folded SET {updates}
FROM (
    SELECT {columns.keys}, {fills}
    FROM (
        SELECT *, -row_number() OVER (PARTITION BY {columns.keys} ORDER BY {newest_first("changes")}) AS age
        FROM changes
        WHERE _cdc_op <> 'd' AND ({columns.keys}) IN (SELECT ({key_of}) FROM folded WHERE {columns.any_kept})
    )
    GROUP BY {columns.keys}
) AS filled
WHERE {same_key} AND ({columns.any_kept})
""")
