"""A table that batch loads write: rows, and how far the source was read, in one commit.

How far is too much for a number: it is a file beside the table, and the commit holds the file's number. A file is
written before the commit that names it, under a number of its own: what a killed run wrote is never read.
"""

import gzip
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, Literal

import duckdb
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from connectors.errors import CommitConflict
from connectors.failpoints import failpoint
from connectors.lake.commits import WRITER, committing
from connectors.lake.numbers import reached
from connectors.lake.storage import ensure_table, list_files, open_table, read_file, remove_file, write_file
from connectors.postgres.identifiers import quote_identifier, quote_literal

_NUMBER, _STATE = "v1/load", "v1/state"
_STATES = "_load"
_STATISTICS = "delta.dataSkippingStatsColumns"
_MOST_STATISTICS = 32
_FIRST = pa.schema([("_loaded_at", pa.timestamp("us", tz="UTC"))])


@dataclass(frozen=True)
class LoadState:
    """What a table knows of its loads.

    Attributes:
        progress: How far its source was read, as the source wants it.
        columns: Type of each column, by name.
        schema: dlt's schema.
        loaded_at: When rows were loaded last, in ISO 8601.
    """

    progress: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None
    loaded_at: str | None = None


@dataclass(frozen=True)
class Replaced:
    """Which rows the new ones take the place of.

    Attributes:
        column: The column that says so; None: all rows.
        values: Its values; empty: a range.
        low: First day of the range; None: from the beginning.
        high: First day behind it; None: without end.
    """

    column: str | None = None
    values: tuple[str, ...] = ()
    low: date | None = None
    high: date | None = None

    def sql(self, alias: str = "") -> str:
        """The condition, on columns of a table that may have an alias."""
        if self.column is None:
            return "TRUE"
        column = f"{alias}{quote_identifier(self.column)}"
        if self.values:
            return f"{column} IN ({', '.join(map(quote_literal, self.values))})"
        ends = [f"{column} >= '{self.low}'"] if self.low is not None else []
        ends += [f"{column} < '{self.high}'"] if self.high is not None else []
        return " AND ".join(ends) or "TRUE"


@dataclass(frozen=True)
class Rows:
    """Rows to write.

    Attributes:
        query: DuckDB's query of them; with `key`, the last by `_seq` of each key is taken.
        columns: Names and Arrow types.
        exact: Columns whose minimum and maximum Delta's log can hold.
        replaced: Which rows they take the place of; None: they are added.
        key: Columns by which a row takes the place of an old one; `_deleted` rows only take it away.
    """

    query: str
    columns: pa.Schema
    exact: Sequence[str]
    replaced: Replaced | None = None
    key: Sequence[str] = ()


class LoadTable:
    """A table at one version; writing moves it to the next.

    Args:
        uri: Address of the table.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._table: DeltaTable = ensure_table(uri, _FIRST, configuration={_STATISTICS: "`_loaded_at`"})
        self.number = reached(self._table, _NUMBER) or 0
        self._state_number = reached(self._table, _STATE)
        self.state = _read_state(uri, self._state_number)

    @property
    def version(self) -> int:
        """Version of the Delta table."""
        return self._table.version()

    def write(self, connection: duckdb.DuckDBPyConnection, rows: Rows | None, state: LoadState) -> None:
        """Commits rows with the state that they lead to.

        Args:
            connection: Where the query runs.
            rows: The rows; None: only the state.
            state: The state.

        Raises:
            CommitConflict: Another load committed first: nothing was written; open the table again.
        """
        if rows is None:
            self._commit(state, partial(_write_nothing, self._table))
        else:
            self._keep_statistics(rows.exact)
            self._commit(state, partial(_write_rows, self._table, connection, rows))

    def _commit(self, state: LoadState, write: Callable[[CommitProperties], None]) -> None:
        number = secrets.randbits(62)
        write_file(_state_file(self.uri, number), gzip.compress(json.dumps(asdict(state)).encode()))
        failpoint("load-state-written")
        # Without retries: an overwrite that is tried again on top of another commit would leave that one's rows.
        progress = CommitProperties(
            app_transactions=[Transaction(_NUMBER, self.number + 1), Transaction(_STATE, number)], max_commit_retries=0
        )
        with committing(self._table):
            write(progress)
        failpoint("load-committed")
        if self._state_number is not None:
            remove_file(_state_file(self.uri, self._state_number))
        self.number, self._state_number, self.state = self.number + 1, number, state

    def rewrite(self, connection: duckdb.DuckDBPyConnection, rows: Rows, state: LoadState) -> None:
        """Commits rows in place of all that there are, with other types.

        Raises:
            CommitConflict: Another load committed first: nothing was written; open the table again.
        """
        self._commit(state, lambda progress: _write_rows(self._table, connection, rows, progress, types="overwrite"))

    def _keep_statistics(self, exact: Sequence[str]) -> None:
        """Sets which columns have statistics: of others they would be wrong, and readers would skip rows."""
        wanted = ",".join(f"`{name}`" for name in exact[:_MOST_STATISTICS])
        if self._table.metadata().configuration.get(_STATISTICS) != wanted:
            with committing(self._table):
                self._table.alter.set_table_properties({_STATISTICS: wanted})


def read_load_state(uri: str) -> LoadState | None:
    """Returns the state of a table as it is now; None if it was never loaded."""
    while True:
        table = open_table(uri)
        if table is None:
            return None
        try:
            return _read_state(uri, reached(table, _STATE))
        except CommitConflict:
            continue  # a load has just moved on


def remove_stale_states(uri: str, *, hours: int, dry_run: bool) -> int:
    """Removes the state files that killed loads left so long ago; returns how many."""
    table = open_table(uri)
    if table is None:
        return 0
    limit, current = datetime.now(UTC) - timedelta(hours=hours), f"{reached(table, _STATE)}.json.gz"
    stale = [f for f in list_files(f"{uri}/{_STATES}") if f.modified_at < limit and f.name != current]
    for file in stale if not dry_run else ():
        remove_file(f"{uri}/{_STATES}/{file.name}")
    return len(stale)


def _read_state(uri: str, number: int | None) -> LoadState:
    if number is None:
        return LoadState()
    found = read_file(_state_file(uri, number))
    if found is None:
        raise CommitConflict(f"{uri}: another load committed meanwhile")
    return LoadState(**json.loads(gzip.decompress(found)))


def _state_file(uri: str, number: int) -> str:
    return f"{uri}/{_STATES}/{number}.json.gz"


def _write_nothing(table: DeltaTable, progress: CommitProperties) -> None:
    empty = pa.schema(table.schema().to_arrow()).empty_table()
    write_deltalake(table, empty, mode="append", commit_properties=progress)


def _write_rows(
    table: DeltaTable,
    connection: duckdb.DuckDBPyConnection,
    rows: Rows,
    progress: CommitProperties,
    *,
    types: Literal["merge", "overwrite"] = "merge",
) -> None:
    replaced = rows.replaced
    if replaced is not None and replaced.column not in (None, *(field.name for field in table.schema().fields)):
        replaced = None  # no row was ever written: there is nothing to take the place of
    whole = replaced is not None and replaced.column is None
    if rows.key and not whole and _has_rows(table):
        _merge(table, connection, rows, progress)
        return
    query = f"SELECT * FROM ({_newest(rows)}) WHERE NOT _deleted" if rows.key else rows.query
    names = ", ".join(map(quote_identifier, rows.columns.names))
    reader = connection.sql(f"SELECT {names} FROM ({query})").to_arrow_reader().cast(rows.columns)
    options: dict[str, Any] = {"mode": "append"}
    if replaced is not None:
        options = {"mode": "overwrite"} | ({} if whole else {"predicate": replaced.sql()})
    write_deltalake(table, reader, schema_mode=types, writer_properties=WRITER, commit_properties=progress, **options)


def _merge(table: DeltaTable, connection: duckdb.DuckDBPyConnection, rows: Rows, progress: CommitProperties) -> None:
    names = [*rows.columns.names, "_deleted"]
    schema = rows.columns.append(pa.field("_deleted", pa.bool_()))
    newest = f"SELECT {', '.join(map(quote_identifier, names))} FROM ({_newest(rows)})"
    values = {quote_identifier(name): f"s.{quote_identifier(name)}" for name in rows.columns.names}
    merger = (
        table.merge(
            connection.sql(newest).to_arrow_reader().cast(schema),
            " AND ".join(f"t.{quote_identifier(name)} = s.{quote_identifier(name)}" for name in rows.key),
            source_alias="s",
            target_alias="t",
            merge_schema=True,
            # Without, files are pruned by the statistics of the new keys: those with rows to take away, too.
            streamed_exec=rows.replaced is not None or not set(rows.key) <= set(rows.exact),
            writer_properties=WRITER,
            commit_properties=progress,
        )
        .when_matched_delete(predicate="s._deleted")
        .when_matched_update(values, predicate="NOT s._deleted")
        .when_not_matched_insert(values, predicate="NOT s._deleted")
    )
    if rows.replaced is not None:
        merger = merger.when_not_matched_by_source_delete(predicate=rows.replaced.sql("t."))
    before = table.version()
    merger.execute()
    if table.version() == before:  # a merge without effect makes no commit
        _write_nothing(table, progress)


def _newest(rows: Rows) -> str:
    key = ", ".join(map(quote_identifier, rows.key))
    return f"FROM ({rows.query}) QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY _seq DESC) = 1"


def _has_rows(table: DeltaTable) -> bool:
    return bool(table.file_uris())
