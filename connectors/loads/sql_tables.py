"""Tables of PostgreSQL that are not captured: read in bulk over Arrow, in one snapshot."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, ClassVar, Literal, Self
from urllib.parse import quote

import adbc_driver_manager as adbc
import pyarrow as pa
from adbc_driver_postgresql import dbapi
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, field_validator, model_validator

from connectors.errors import ConfigurationError, ServiceUnavailable
from connectors.lake.load_table import Replaced
from connectors.loads.declaration import SourceSpec, TableSpec
from connectors.loads.names import column_name
from connectors.loads.protocol import Done, Estimate, Progress, Slice
from connectors.loads.reading import Reading
from connectors.loads.types import kind_of
from connectors.loads.window import Window
from connectors.postgres.catalog import read_tables
from connectors.postgres.connection import TEXT_FORMATS, connect
from connectors.postgres.contracts import ColumnContract, TableContract
from connectors.postgres.identifiers import TableName
from connectors.postgres.types import rule_for
from connectors.settings import PostgresSettings, Settings

_BATCH_BYTES = 8 * 1024 * 1024
_WHOLE = frozenset(("int2", "int4", "int8"))
_TIMES = frozenset(("date", "timestamp", "timestamptz"))
_JSON = frozenset(("json", "jsonb", "hstore"))
_PLAIN_ELEMENTS = frozenset(("_int2", "_int4", "_int8", "_oid", "_float4", "_float8", "_bool", "_numeric"))
_REFUSALS = frozenset(("28000", "28P01", "3D000", "42501"))  # log-in, database, right


class SqlTable(TableSpec):
    """A table that is read in bulk."""

    table: str = Field(description="The table, `schema.name`.")
    mode: Literal["full", "incremental"] = Field("full", description="All rows, or those that are new by the cursor.")
    key: tuple[str, ...] = Field((), description="Columns that identify a row; needed for incremental.")
    cursor: str | None = Field(None, description="Column that grows with every change: a time, or a number.")
    lookback: str | int | None = Field(
        None,
        description="How far before the last value to read again, for transactions that commit late: `2 hours`, or a "
        "number; by default an hour, or 10,000.",
    )
    day: str | None = Field(None, description="Column of the day, or time, by which the table can be backfilled.")

    @property
    def has_days(self) -> bool:
        """Whether it declares the column of its day."""
        return self.day is not None

    @field_validator("table")
    @classmethod
    def _check_table(cls, name: str) -> str:
        TableName.parse(name)
        return name

    @model_validator(mode="after")
    def _check_mode(self) -> Self:
        if self.mode == "incremental" and (not self.key or self.cursor is None):
            raise ValueError("`mode: incremental` needs `key` and `cursor`")
        return self


class SqlSource(SourceSpec):
    """A PostgreSQL database."""

    type: Literal["sql_tables"]
    url_variable: str | None = Field(
        None,
        description="Environment variable with the database's `postgresql://` address; unset: the captured database.",
    )
    tables: dict[str, SqlTable]


class SqlTables:
    """The tables of a database."""

    spec: ClassVar[type[SourceSpec]] = SqlSource

    def __init__(self, settings: Settings, declared: SqlSource) -> None:
        variable = declared.url_variable
        self._postgres = settings.postgres if variable is None else _settings_of(variable)

    def slices(self, name: str, table: SqlTable, progress: Progress, window: Window) -> Iterator[Slice]:  # noqa: ARG002 - the protocol's
        """Yields one slice: a snapshot is one commit."""
        yield _Snapshot(self._postgres, table, self._contract(table, window), progress, window)

    def estimate(self, name: str, table: SqlTable, progress: Progress, window: Window) -> Estimate:  # noqa: ARG002 - the protocol's
        """Asks PostgreSQL's statistics."""
        contract = self._contract(table, window)
        condition = _condition(table, contract, progress, window)
        with connect(self._postgres) as connection:
            query = sql.SQL("EXPLAIN (FORMAT json) SELECT * FROM {} WHERE {}")
            statement = query.format(sql.Identifier(*contract.table), condition)
            [(plan,)] = connection.execute(statement).fetchall()
        rows, width = (int(plan[0]["Plan"][name]) for name in ("Plan Rows", "Plan Width"))
        return Estimate(1, rows, rows * width)

    def _contract(self, table: SqlTable, window: Window) -> TableContract:
        name = TableName.parse(table.table)
        if window.is_range and table.day is None:
            raise ConfigurationError(f"{name} is not read by day", hint="declare its column of the day as `day`")
        with connect(self._postgres) as connection:
            found = read_tables(connection, [name])
        if not found:
            raise ConfigurationError(f"there is no table {name}", hint="check `table`, and that the user may read it")
        contract = found[0].contract
        there = {column.name for column in contract.columns}
        lost = [c for c in (*table.key, table.cursor, table.day) if c is not None and c not in there]
        if lost:
            raise ConfigurationError(f"{name} has no column {', '.join(lost)}", hint="check `key`, `cursor` and `day`")
        return contract


class _Snapshot:
    """What is new in a table, read in one snapshot of the database."""

    size = None

    def __init__(
        self,
        postgres: PostgresSettings,
        table: SqlTable,
        contract: TableContract,
        progress: Progress,
        window: Window,
    ) -> None:
        self._postgres = postgres
        self._table = table
        self._contract = contract
        self._progress = progress
        self._window = window
        self._cursor: str | None = progress.get("cursor")
        self._key: tuple[str, ...] = ()
        self._day: str | None = None
        self.label = table.table

    def read(self, reading: Reading) -> Iterator[pa.Table]:
        """Yields the rows."""
        table, contract = self._table, self._contract
        self._key = tuple(map(column_name, table.key)) if table.mode == "incremental" else ()
        self._day = None if table.day is None else column_name(table.day)
        chosen = [(column_name(c.name), *_selected(c)) for c in contract.columns]
        kinds = {name: kind for name, _, kind in chosen}
        listed = sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(expression, sql.Identifier(name)) for name, expression, _ in chosen
        )
        rows = sql.SQL("SELECT {} FROM {} WHERE {}").format(
            listed, sql.Identifier(*contract.table), _condition(table, contract, self._progress, self._window)
        )
        number = 0
        with _opened(self._postgres, table.table) as connection, connection.cursor() as cursor:
            if table.cursor is not None:
                cursor.execute(_newest(table.cursor, contract).as_string())
                self._cursor = cursor.fetchone()[0] or self._cursor
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": _BATCH_BYTES})
            cursor.execute(rows.as_string())
            for batch in cursor.fetch_record_batch():
                reading.facts.read_bytes += batch.nbytes
                numbers = pa.array(range(number, number + len(batch)), pa.int64())
                numbered = pa.table(batch).append_column("_seq", numbers)
                number += len(batch)
                if self._key:
                    numbered = numbered.append_column("_deleted", pa.repeat(pa.scalar(value=False), len(batch)))
                yield reading.type_rows(numbered, kinds, file=table.table, version=None)

    def done(self) -> Done:
        """A range of days moves no cursor; else the newest value that the snapshot had is it."""
        window = self._window
        if window.is_range:
            return Done(self._progress, Replaced(self._day, low=window.since, high=window.until), self._key)
        if self._table.mode == "full":
            return Done({}, Replaced())
        whole = window.again or self._progress.get("cursor") is None
        return Done({"cursor": self._cursor}, Replaced() if whole else None, self._key)


def _condition(table: SqlTable, contract: TableContract, progress: Progress, window: Window) -> sql.Composable:
    """Which rows to read."""
    if window.is_range and table.day is not None:
        ends: list[tuple[str, date | None]] = [(">=", window.since), ("<", window.until)]
        return sql.SQL(" AND ").join(
            sql.SQL("{} {} {}").format(sql.Identifier(table.day), sql.SQL(sign), sql.Literal(str(end)))
            for sign, end in ends
            if end is not None
        )
    last = progress.get("cursor")
    if table.mode == "full" or table.cursor is None or last is None or window.again:
        return sql.SQL("TRUE")
    column = next(c for c in contract.columns if c.name == table.cursor)
    kind = sql.SQL("::") + sql.Identifier("pg_catalog", column.type_name)
    lookback: sql.Composable
    if column.type_name in _TIMES:
        lookback = sql.SQL("interval {}").format(sql.Literal(table.lookback or "1 hour"))
    elif column.type_name in _WHOLE or column.type_name == "numeric":
        lookback = sql.SQL("{}").format(sql.Literal(int(10_000 if table.lookback is None else table.lookback)))
    else:
        raise ConfigurationError(
            f"{table.table}.{table.cursor} is a {column.type_name}", hint="a cursor is a time or a number"
        )
    # Without a cursor's value a row is read every time: it must not be missed.
    return sql.SQL("({cursor} >= {last}{kind} - {lookback} OR {cursor} IS NULL)").format(
        cursor=sql.Identifier(table.cursor), last=sql.Literal(last), kind=kind, lookback=lookback
    )


def _newest(name: str, contract: TableContract) -> sql.Composable:
    """Query of the newest value of a cursor, as text.

    Without infinity and NaN, and not after now: behind such a value, nothing that changes later would be new.
    """
    kind = next(c.type_name for c in contract.columns if c.name == name)
    query = "SELECT max({c})::text FROM {t}"
    if kind in _TIMES:
        # `least` passes over NULL: a table without any such value has none.
        query = (
            f"SELECT CASE WHEN m IS NOT NULL THEN least(m, now()::{kind}) END::text"
            " FROM (SELECT max({c}) FILTER (WHERE isfinite({c})) AS m FROM {t}) AS newest"
        )
    elif kind == "numeric":
        query = "SELECT max({c}) FILTER (WHERE {c} < 'Infinity')::text FROM {t}"
    return sql.SQL(query).format(c=sql.Identifier(name), t=sql.Identifier(*contract.table))


def _selected(column: ColumnContract) -> tuple[sql.Composable, str]:
    """Expression of a column, which silver would keep in the same way, and its type; numbers and times are texts."""
    name, rule = sql.Identifier(column.name), rule_for(column)
    kind = "text" if rule is None else kind_of(rule.arrow)
    if column.type_name.startswith("_") or column.type_name in _JSON:
        kind = "json"
    template = "{}::text"
    if column.type_name in _PLAIN_ELEMENTS:
        template = "array_to_json({})::text"
    elif column.type_name == "_bytea":
        template = "(SELECT json_agg(encode(e, 'base64') ORDER BY n) FROM unnest({}) WITH ORDINALITY AS u(e, n))::text"
    elif column.type_name.startswith("_"):
        template = "array_to_json({}::text[])::text"
    elif column.type_name == "hstore":
        template = "hstore_to_json({})::text"
    elif column.type_name == "money":
        template = "{}::numeric::text"
    elif kind in ("bigint", "boolean", "binary", "float", "double"):
        template = "{}::int8" if kind == "bigint" else "{}"
    return sql.SQL(template).format(name), kind


@contextmanager
def _opened(postgres: PostgresSettings, table: str) -> Iterator[Any]:
    """A connection over Arrow, in a transaction that sees one moment."""
    try:
        with dbapi.connect(_address(postgres), autocommit=False) as connection:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                cursor.execute("SET LOCAL IntervalStyle = 'iso_8601'")
            yield connection
    except adbc.Error as error:
        if error.sqlstate in _REFUSALS:
            raise ConfigurationError(f"{table}: PostgreSQL refuses: {error}", hint="check the user's rights") from error
        raise ServiceUnavailable(
            f"{table}: PostgreSQL broke off: {error}", hint="try again: it may have been altered while it was read"
        ) from error


def _address(postgres: PostgresSettings) -> str:
    password = "" if postgres.password is None else f":{quote(postgres.password.get_secret_value(), safe='')}"
    host = quote(postgres.host or "", safe="")
    options = quote(f"-c TimeZone=UTC {TEXT_FORMATS}")
    return (
        f"postgresql://{quote(postgres.user, safe='')}{password}@{host}:{postgres.port}/"
        f"{quote(postgres.database, safe='')}?options={options}&application_name=lakehouse&connect_timeout=5"
    )


def _settings_of(variable: str) -> PostgresSettings:
    address = os.environ.get(variable)
    if address is None:
        raise ConfigurationError(f"{variable} is not set", hint="it is to hold the database's postgresql:// address")
    parts = {name: str(value) for name, value in conninfo_to_dict(address).items()}
    if others := set(parts) - {"host", "port", "user", "password", "dbname"}:
        raise ConfigurationError(
            f"{variable} has parameters that are not taken from there: {', '.join(sorted(others))}",
            hint="set them in the environment, PGSSLMODE=verify-full",
        )
    return PostgresSettings(
        host=parts.get("host", "localhost"),
        port=int(parts.get("port", 5432)),
        user=parts.get("user", "postgres"),
        password=SecretStr(parts["password"]) if "password" in parts else None,
        database=parts.get("dbname", "postgres"),
    )
