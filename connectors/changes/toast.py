"""Unchanged TOAST values: where they come from, and whether they are known.

An update that does not touch a large value leaves it out of the event (`keep`). The value is the row's previous one:
from an earlier change of the key, else from silver; after a change of the primary key, from the old key.
"""

from connectors.changes.cdc_columns import POSITION
from connectors.changes.columns import Column, Columns, names
from connectors.changes.decode import old_key_sql
from connectors.changes.markers import Marker
from connectors.changes.order import is_newer, newest_first
from connectors.changes.workspace import MergeWorkspace, WorkTable

_SOURCE = ("topic_id", "stream_partition", "stream_offset")
_AT = POSITION[:3]
UNKNOWN_VALUE = "an unchanged TOAST value is unknown"
"""Why a readable change is rejected."""


def has_kept(work: MergeWorkspace) -> bool:
    """Whether some change has an unchanged TOAST value."""
    return work.count("changes", work.columns.any_kept) > 0


def open_moves(work: MergeWorkspace, *, complete_at: Marker, later: str) -> None:
    """Makes the table `moves`: changed primary keys with unchanged TOAST values.

    Those committed before the marker `complete_at` may have been seen by the reading that silver begins with. Where
    another row got their old key before that marker, too, silver may hold that row's value there: they are `doubtful`.

    Args:
        work: The work tables.
        complete_at: Marker behind which the rows of silver had been read, if that was while they changed.
        later: Query of the pending changes that come after those in `changes`.
    """
    columns = work.columns
    work.create(
        "moves",
        f"""
SELECT {names((*_SOURCE, *POSITION, *(c.keep for c in columns.toastable)))}, {columns.keys}, {old_key_sql(columns)},
    {_is_before("changes", complete_at)} AS doubtful
FROM changes WHERE old_key IS NOT NULL AND _cdc_op <> 'd' AND ({columns.any_kept})
""",
    )
    if work.count("moves", "doubtful") > 0:
        _settle_doubts(work, complete_at=complete_at, later=later)


def _settle_doubts(work: MergeWorkspace, *, complete_at: Marker, later: str) -> None:
    """Keeps in doubt the moves whose old key is in use again, or may be, through an unreadable change."""
    columns = work.columns
    wanted = names((*POSITION, *(c.value for c in columns.key)))
    work.create("later", f"SELECT {wanted}, reason FROM ({later})")
    if work.count("rejected") > 0 or work.count("later", "reason IS NOT NULL") > 0:
        return
    work.execute(f"""
UPDATE moves AS m SET doubtful = EXISTS (
    SELECT 1 FROM (SELECT {wanted} FROM changes UNION ALL SELECT {wanted} FROM later) AS after
    WHERE {_on_old_key(columns, "after")} AND after._cdc_op NOT IN ('d', 'r') AND {is_newer("after", "m")}
        AND {_is_before("after", complete_at)}
) WHERE doubtful
""")


def old_keys(columns: Columns) -> str:
    """Returns the query of the keys that the rows of `moves` had before."""
    return f"SELECT {names(f'old_{c.value}' for c in columns.key)} FROM moves"


def keys_in_need(columns: Columns) -> str:
    """Returns the query of the keys with unchanged TOAST values, and of the keys that the values come from."""
    return f"SELECT {columns.keys} FROM changes WHERE {columns.any_kept} UNION {old_keys(columns)}"


def drop_merged(work: MergeWorkspace) -> None:
    """Drops what silver has merged already from `changes` and `moves`: sent again, it would fill in an older value.

    `stored` holds the rows of silver under the keys in need.
    """
    tables: tuple[WorkTable, ...] = ("changes", "moves")
    for table in tables:
        on_key = _same_key(work.columns, "stored", table)
        work.delete(table, f"{on_key} AND NOT {is_newer(table, 'stored')}", using="stored")


def has_moves(work: MergeWorkspace) -> bool:
    """Whether moves are open."""
    return work.count("moves") > 0


def resolve_moves(work: MergeWorkspace) -> None:
    """Fills the TOAST values of moved rows in `changes`: from the changes of the old key, else from `stored_values`.

    `stored_values` holds the rows of silver under the old keys of `moves`.
    A row can move several times; each round takes the moves whose row has no earlier move still open.
    What neither knows keeps its flag.
    """
    while has_moves(work):
        _one_round(work)


def reject_unknown(work: MergeWorkspace) -> None:
    """Moves changes with an unknown TOAST value from `changes` to `rejected`.

    A value is known if an earlier change of the same row carries it, or silver holds the row. If the row is deleted
    later on, nobody needs the value: such changes are only dropped.
    """
    columns = work.columns
    carried = names(
        f"bool_or(_cdc_op <> 'd' AND NOT {c.keep}) OVER earlier_of_row AS carried_{c.value}" for c in columns.toastable
    )
    missing = " OR ".join(f"({c.keep} AND NOT carried_{c.value})" for c in columns.toastable)
    earlier = f"ORDER BY {newest_first('t')} ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING"
    work.create(
        "unknown",
        f"""
WITH lives AS (
    SELECT *, count(*) FILTER (_cdc_op = 'd') OVER (PARTITION BY {columns.keys} {earlier}) AS deletes,
        count(*) FILTER (_cdc_op = 'd') OVER (PARTITION BY {columns.keys}) AS all_deletes
    FROM changes AS t WHERE ({columns.keys}) IN (SELECT ({columns.keys}) FROM changes WHERE {columns.any_kept})
), carried AS (
    SELECT *, {carried} FROM lives AS t WINDOW earlier_of_row AS (PARTITION BY {columns.keys}, deletes {earlier})
)
SELECT {names(_SOURCE)}, all_deletes > deletes AS is_deleted_later FROM carried WHERE ({missing}) AND NOT (
    deletes = 0 AND EXISTS (SELECT 1 FROM stored WHERE {_same_key(columns, "stored", "carried")} AND NOT _cdc_deleted)
)
""",
    )
    work.execute(
        f"INSERT INTO rejected SELECT {names(_SOURCE)}, '{UNKNOWN_VALUE}' FROM unknown WHERE NOT is_deleted_later"
    )
    work.delete("changes", f"({names(_SOURCE)}) IN (SELECT ({names(_SOURCE)}) FROM unknown)")


def _one_round(work: MergeWorkspace) -> None:
    columns = work.columns
    work.create(
        "ready",
        f"""
SELECT * FROM moves m WHERE NOT EXISTS (
    SELECT 1 FROM moves earlier WHERE {_on_old_key(columns, "earlier")} AND {is_newer("m", "earlier")}
)
""",
    )
    for column in columns.toastable:
        work.execute(f"""
UPDATE changes SET {column.value} = found.value, {column.keep} = FALSE
FROM (
    SELECT m.topic_id, m.stream_partition, m.stream_offset,
        coalesce(carried.carried, struct_pack(v := stored_values.{column.value})).v AS value
    FROM ready m
    LEFT JOIN ({_carried_sql(columns, column)}) AS carried USING ({names(_SOURCE)})
    LEFT JOIN stored_values
        ON NOT m.doubtful AND {_on_old_key(columns, "stored_values")} AND {is_newer("m", "stored_values")}
        AND (NOT stored_values._cdc_deleted OR {_is_same_change("stored_values")})
        AND NOT {_was_deleted_since(columns, "stored_values")}
    WHERE m.{column.keep} AND (carried.carried IS NOT NULL OR stored_values._cdc_op IS NOT NULL)
) AS found
WHERE {" AND ".join(f"changes.{name} = found.{name}" for name in _SOURCE)}
""")
    work.delete("moves", f"({names(_SOURCE)}) IN (SELECT ({names(_SOURCE)}) FROM ready)")


def _carried_sql(columns: Columns, column: Column) -> str:
    """The newest value that changes of the old key carry before the move."""
    return f"""
    SELECT {names(f"m.{name}" for name in _SOURCE)}, struct_pack(v := earlier.{column.value}) AS carried
    FROM ready m JOIN changes earlier ON {_on_old_key(columns, "earlier")}
    WHERE m.{column.keep} AND earlier._cdc_op <> 'd' AND NOT earlier.{column.keep} AND {is_newer("m", "earlier")}
        AND NOT {_was_deleted_since(columns, "earlier")}
    QUALIFY row_number() OVER (
        PARTITION BY {names(f"m.{name}" for name in _SOURCE)} ORDER BY {newest_first("earlier")}
    ) = 1
"""


def _was_deleted_since(columns: Columns, since: str) -> str:
    """Whether the old key was given up between a row and the move: then the row is not the one that moved."""
    return f"""EXISTS (
        SELECT 1 FROM changes AS gone
        WHERE gone._cdc_op = 'd' AND {_on_old_key(columns, "gone")} AND {is_newer("gone", since)}
            AND {is_newer("m", "gone")} AND NOT {_is_same_change("gone")}
    )"""


def _is_same_change(other: str) -> str:
    """Whether a delete of the old key is the move's own half."""
    return f"({names(f'{other}.{name}' for name in _AT)}) = ({names(f'm.{name}' for name in _AT)})"


def _is_before(alias: str, marker: Marker) -> str:
    return f"({alias}._cdc_epoch, {alias}._cdc_prev_commit_lsn) < ({marker.epoch}, {marker.lsn})"


def _on_old_key(columns: Columns, other: str) -> str:
    return " AND ".join(f"{other}.{c.value} = m.old_{c.value}" for c in columns.key)


def _same_key(columns: Columns, left: str, right: str) -> str:
    return " AND ".join(f"{left}.{c.value} = {right}.{c.value}" for c in columns.key)
