"""Several changes of one key become one, in DuckDB.

Works on the table `changes` (the rows of `decode_sql` that were not rejected) and leaves the table `folded`:
a row per key with its newest position, every value that the changes tell, and per toastable column a flag that the
value is still the one in silver.
"""

import duckdb

from connectors.changes.columns import Column, Columns, names
from connectors.changes.decode import old_key_sql
from connectors.changes.order import is_newer, newest_first

_CDC = ("_cdc_epoch", "_cdc_prev_commit_lsn", "_cdc_lsn", "_cdc_op", "_cdc_committed_at")
_SOURCE = ("topic_id", "stream_partition", "stream_offset")


def has_kept(connection: duckdb.DuckDBPyConnection, columns: Columns) -> bool:
    """Whether some change leaves a value out."""
    return _count(connection, f"SELECT count(*) FROM changes WHERE {columns.any_kept}") > 0


def fold_changes(connection: duckdb.DuckDBPyConnection, columns: Columns) -> None:
    """Makes `folded` from `changes`.

    A delete keeps the values that the row had: those of the newest change before it, if any is here (`has_image`),
    else those in silver.
    """
    keys = columns.keys
    last = f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {newest_first('changes')}) = 1"
    of_last = names(f"last.{name}" for name in (*_CDC, *_SOURCE, *(c.value for c in columns.key)))
    of_image = names(
        f"image.{name}"
        for c in columns.all
        if not c.is_key
        for name in ((c.value, c.keep) if c.toastable else (c.value,))
    )
    same_key = " AND ".join(f"last.{c.value} = image.{c.value}" for c in columns.key)
    selected = f"{of_last}{', ' if of_image else ''}{of_image}"
    connection.execute(f"""
CREATE OR REPLACE TEMP TABLE folded AS
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
""")
    if has_kept(connection, columns):
        _fill_from_changes(connection, columns)


def _fill_from_changes(connection: duckdb.DuckDBPyConnection, columns: Columns) -> None:
    """Takes a value that the newest change leaves out from the newest change of that key which carries it."""
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
    connection.execute(f"""
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


def open_moves(connection: duckdb.DuckDBPyConnection, columns: Columns) -> int:
    """Makes the table `moves`: rows that got a new key and leave values out; returns how many.

    Such a value is that of the row under its old key, at that position.
    """
    connection.execute(f"""
CREATE OR REPLACE TEMP TABLE moves AS
SELECT {names((*_SOURCE, *_CDC, *(c.keep for c in columns.toastable)))}, {columns.keys}, {old_key_sql(columns)}
FROM changes WHERE old_key IS NOT NULL AND _cdc_op <> 'd' AND ({columns.any_kept})
""")
    return _count(connection, "SELECT count(*) FROM moves")


def resolve_moves(connection: duckdb.DuckDBPyConnection, columns: Columns) -> None:
    """Fills what moved rows leave out, in `changes`: from the changes of the old key, else from the table `stored`.

    `stored` holds the rows of silver under the old keys of `moves`: the values named like the work tables' own.
    A row can move several times; each round takes the moves whose row has no earlier move still open.
    What neither knows keeps its flag.
    """
    while _count(connection, "SELECT count(*) FROM moves") > 0:
        _one_round(connection, columns)


def _one_round(connection: duckdb.DuckDBPyConnection, columns: Columns) -> None:
    on_old_key = " AND ".join(f"earlier.{c.value} = m.old_{c.value}" for c in columns.key)
    connection.execute(f"""
CREATE OR REPLACE TEMP TABLE ready AS
SELECT * FROM moves m WHERE NOT EXISTS (
    SELECT 1 FROM moves earlier WHERE {on_old_key} AND {is_newer("m", "earlier")}
)
""")
    stored_key = " AND ".join(f"stored.{c.value} = m.old_{c.value}" for c in columns.key)
    for column in columns.toastable:
        connection.execute(f"""
UPDATE changes SET {column.value} = found.value, {column.keep} = FALSE
FROM (
    SELECT m.topic_id, m.stream_partition, m.stream_offset,
        coalesce(told.told, struct_pack(v := stored.{column.value})).v AS value
    FROM ready m
    LEFT JOIN ({_told_sql(column, on_old_key)}) AS told USING ({names(_SOURCE)})
    LEFT JOIN stored ON {stored_key}
    WHERE m.{column.keep} AND (told.told IS NOT NULL OR stored.is_stored)
) AS found
WHERE {" AND ".join(f"changes.{name} = found.{name}" for name in _SOURCE)}
""")
    connection.execute(f"DELETE FROM moves WHERE ({names(_SOURCE)}) IN (SELECT ({names(_SOURCE)}) FROM ready)")


def _told_sql(column: Column, on_old_key: str) -> str:
    """The newest value that changes of the old key tell before the move."""
    return f"""
    SELECT {names(f"m.{name}" for name in _SOURCE)}, struct_pack(v := earlier.{column.value}) AS told
    FROM ready m JOIN changes earlier ON {on_old_key}
    WHERE m.{column.keep} AND earlier._cdc_op <> 'd' AND NOT earlier.{column.keep} AND {is_newer("m", "earlier")}
    QUALIFY row_number() OVER (
        PARTITION BY {names(f"m.{name}" for name in _SOURCE)} ORDER BY {newest_first("earlier")}
    ) = 1
"""


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(query).fetchall()[0][0])
