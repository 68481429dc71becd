"""What the workers of a partitioned merge do: pure steps over chunks of rows, the same SQL as a merge in one process.

Chunks travel as Arrow's stream format, so that no engine between the workers changes a type. Everything here may run in
another process, on another machine: it gets its plan with it, and opens what it reads itself.
"""

import io
import json
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.changes.cdc_columns import CDC_COLUMNS
from connectors.changes.columns import Columns, columns_of, names
from connectors.changes.decode import Messages, decode_sql, old_key_sql
from connectors.changes.low_watermark import LowWatermark, drop_below
from connectors.changes.markers import Marker
from connectors.changes.order import is_below
from connectors.changes.workspace import MergeWorkspace, WorkTable
from connectors.lake.silver.baseline import Baseline
from connectors.lake.silver.narrow import drop_other_resyncs, hold_back, narrow
from connectors.lake.silver.progress import SilverProgress
from connectors.lake.silver.schema import silver_schema
from connectors.lake.silver.stored import read_stored
from connectors.lake.silver.upsert import drop_purged, fold_with_stored, newer_sql, taken_away
from connectors.lake.storage import scratch_connection, write_file
from connectors.lake.views import typed_rows
from connectors.postgres.contracts import TableContract
from connectors.postgres.identifiers import quote_literal

Chunk = tuple[int, bytes]
"""A number that says what it is, or where it goes, and rows or facts."""

FACTS, REJECTED, MOVES, SAMPLE, ROWS = -1, -2, -3, -4, 0
"""What comes of a file of changes, besides its rows."""

_CHANGES, _STORED = b"c", b"s"
_SAMPLE_ROWS = 200


@dataclass(frozen=True)
class Plan:
    """What every worker has to know of a merge.

    Attributes:
        root: The lake's root.
        uri: Address of the silver table.
        contract: The table's contract.
        placeholder: What stands for an unchanged TOAST value.
        baseline: What the table starts from.
        progress: What silver has merged so far.
        up_to_batch: The last batch to read.
        through: Leave what was committed after this marker; None: leave nothing.
        columns: Silver's columns, with their DuckDB types.
        statistics: Columns whose minimum and maximum Delta's log is to have.
    """

    root: str
    uri: str
    contract: TableContract
    placeholder: str
    baseline: Baseline
    progress: SilverProgress
    up_to_batch: int
    through: Marker | None
    columns: tuple[tuple[str, str], ...]
    statistics: tuple[str, ...]

    @property
    def of_source(self) -> Columns:
        """The source's columns."""
        return columns_of(self.contract)


@dataclass(frozen=True)
class Routes:
    """Where rows go, and what is true of all of them.

    Attributes:
        bounds: The first key of each bucket but the first, by the key's first column, in Arrow's stream format.
        overrides: Keys that go elsewhere, with their bucket, so that rows which changed their key find its old row.
        rejected: Addresses and reasons of all messages that can't be read.
        low_watermark: A new low watermark; None: the old one holds.
    """

    bounds: bytes
    overrides: bytes
    rejected: bytes
    low_watermark: LowWatermark | None = None


@dataclass
class Written:
    """What a bucket became.

    Attributes:
        files: Files, each with path, size, and statistics as Delta's log has them.
        rejected: Further messages whose values nobody knows.
    """

    files: list[dict[str, Any]] = field(default_factory=list)
    rejected: pa.Table | None = None


def pack(rows: pa.Table) -> bytes:
    """Writes rows in Arrow's stream format."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, rows.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(rows)
    return sink.getvalue()


def unpack(data: bytes) -> pa.Table:
    """Reads what `pack` wrote."""
    return pa.ipc.open_stream(data).read_all()


def decode_file(plan: Plan, _number: int, path: bytes) -> Iterator[Chunk]:
    """Decodes a file of bronze, and says what is to be known of it before any change can be folded."""
    columns = plan.of_source
    with scratch_connection(plan.root) as connection:
        work = MergeWorkspace(connection, columns)
        messages = Messages([path.decode()], plan.progress.batch, plan.up_to_batch)
        work.create("changes", decode_sql(columns, messages, placeholder=plan.placeholder))
        drop_other_resyncs(work, plan.baseline)
        facts: dict[str, Any] = {"changes": work.count("changes")}
        facts["held_back"] = None if plan.through is None else hold_back(work, plan.through)
        narrowed = narrow(work, plan.baseline)
        mark = narrowed.low_watermark
        if mark is not None:
            facts["low_watermark"] = [*mark.position, None if mark.at is None else mark.at.isoformat()]
        facts["strange_shape"] = None if narrowed.strange_shape is None else list(narrowed.strange_shape)
        yield FACTS, json.dumps(facts).encode()
        yield REJECTED, pack(connection.sql("FROM rejected").to_arrow_table())
        moves = f"old_key IS NOT NULL AND _cdc_op <> 'd' AND ({columns.any_kept})"
        found = f"SELECT {columns.keys}, {old_key_sql(columns)} FROM changes WHERE {moves}"
        yield MOVES, pack(connection.sql(found).to_arrow_table())
        yield SAMPLE, pack(_sample(connection, columns.key[0].value, "changes"))
        yield ROWS, pack(connection.sql("FROM changes").to_arrow_table())


def sample_file(plan: Plan, _number: int, path: bytes) -> Iterator[Chunk]:
    """Takes some keys of a file of silver."""
    key = plan.of_source.key[0]
    with scratch_connection(plan.root) as connection:
        rows = f"(SELECT {key.quoted} AS {key.value} FROM ({typed_rows(plan.columns, [path.decode()])}))"
        yield SAMPLE, pack(_sample(connection, key.value, rows))


def send_changes(plan: Plan, routes: Routes, number: int, data: bytes) -> Iterator[Chunk]:
    """Sends the changes of a file to their buckets; what is not rows is left out."""
    if number != ROWS:
        return
    columns = plan.of_source
    with scratch_connection(plan.root) as connection:
        work = MergeWorkspace(connection, columns)
        connection.register("received", unpack(data))
        work.create("changes", "FROM received")
        new = routes.low_watermark
        drop_below(work, plan.progress.low_watermark if new is None else new.position)
        keys = [c.value for c in columns.key]
        yield from _in_buckets(connection, routes, "changes", keys, columns, _CHANGES)


def send_stored(plan: Plan, routes: Routes, _number: int, path: bytes) -> Iterator[Chunk]:
    """Sends silver's rows of a file to their buckets."""
    columns = plan.of_source
    with scratch_connection(plan.root) as connection:
        connection.execute(f"CREATE TEMP VIEW stored_rows AS {typed_rows(plan.columns, [path.decode()])}")
        keys = [c.quoted for c in columns.key]
        yield from _in_buckets(connection, routes, "stored_rows", keys, columns, _STORED)


def merge_bucket(plan: Plan, routes: Routes, _bucket: int, chunks: Sequence[bytes]) -> Iterator[bytes]:
    """Merges the changes of a bucket into its rows, and writes what comes of it to a file of silver.

    Yields one chunk: the file as Delta's log will have it, and messages whose values turned out to be unknown.
    """
    columns, schema = plan.of_source, silver_schema(plan.contract, plan.of_source)
    by_kind: dict[bytes, list[pa.Table]] = defaultdict(list)
    for chunk in chunks:
        by_kind[chunk[:1]].append(unpack(chunk[1:]))
    with scratch_connection(plan.root) as connection:
        work = MergeWorkspace(connection, columns)
        empty = _empty(connection, plan.columns)
        connection.register("bucket", pa.concat_tables([empty, *by_kind[_STORED]], promote_options="permissive"))
        rejected = unpack(routes.rejected)
        if by_kind[_CHANGES]:
            _fold(work, plan, routes, pa.concat_tables(by_kind[_CHANGES], promote_options="permissive"), rejected)
            rows = f"{newer_sql(columns, values=_others(columns))} UNION ALL BY NAME {_left(plan, routes, 'newer')}"
            connection.execute(
                f"CREATE TEMP TABLE newer AS SELECT {columns.keys} FROM folded"
                f" JOIN ({_newer_keys(columns)}) USING ({columns.keys})"
            )
            unknown = _unknown(connection)
        else:
            rows, unknown = _left(plan, routes, None), rejected.slice(0, 0)
        order = names(c.quoted for c in columns.key)
        merged = connection.sql(f"FROM ({rows}) ORDER BY {order}").to_arrow_table().select(schema.names).cast(schema)
    written = [_write(plan, merged)] if len(merged) else []
    yield json.dumps({"files": written, "rejected": pack(unknown).hex()}).encode()


def _fold(work: MergeWorkspace, plan: Plan, routes: Routes, changes: pa.Table, rejected: pa.Table) -> None:
    connection, columns = work.connection, work.columns
    connection.register("received", changes)
    work.create("changes", "FROM received")
    connection.register("rejected_before", rejected)
    work.create("rejected", "FROM rejected_before")

    def read(*, keys: str, into: WorkTable = "stored", values: Sequence[Any] = ()) -> None:
        read_stored(work, "bucket", keys=keys, into=into, values=values)

    drop_purged(work, plan.progress.purged, read_stored=read)
    later = "SELECT * FROM changes LIMIT 0"
    fold_with_stored(work, plan.baseline, read_stored=read, low_watermark=routes.low_watermark, later=later)
    read(keys=f"SELECT {columns.keys} FROM folded", into="stored_values", values=_others(columns))


def _others(columns: Columns) -> tuple[Any, ...]:
    return tuple(c for c in columns.all if not c.is_key)


def _newer_keys(columns: Columns) -> str:
    renamed = names(f"{c.quoted} AS {c.value}" for c in columns.key)
    return f"SELECT {renamed} FROM ({newer_sql(columns, values=_others(columns))})"


def _unknown(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """The messages that folding rejected besides those that were known."""
    query = "FROM rejected EXCEPT ALL FROM rejected_before"
    return connection.sql(query).to_arrow_table()


def _left(plan: Plan, routes: Routes, newer: str | None) -> str:
    """Query of the rows of the bucket that nothing newer takes the place of; a low watermark takes some away."""
    columns = plan.of_source
    same = " AND ".join(f"n.{c.value} = t.{c.quoted}" for c in columns.key)
    kept = "TRUE" if newer is None else f"NOT EXISTS (SELECT 1 FROM {newer} AS n WHERE {same})"
    mark = routes.low_watermark
    replaced = ""
    if mark is not None:
        gone = f"NOT t._cdc_deleted AND {is_below('t', mark.position)}"
        values = taken_away(mark, moment=_for_duckdb)
        replaced = f"REPLACE ({names(f'CASE WHEN {gone} THEN {values[n]} ELSE t.{n} END AS {n}' for n in CDC_COLUMNS)})"
    return f"SELECT * {replaced} FROM bucket AS t WHERE {kept}"


def _for_duckdb(moment: datetime | None) -> str:
    return f"{'NULL' if moment is None else quote_literal(moment.isoformat())}::TIMESTAMPTZ"


def _empty(connection: duckdb.DuckDBPyConnection, columns: Sequence[tuple[str, str]]) -> pa.Table:
    """Returns an empty table of silver's columns."""
    return connection.sql(typed_rows(columns, [])).to_arrow_table()


def _sample(connection: duckdb.DuckDBPyConnection, key: str, rows: str) -> pa.Table:
    # A truncation has no key.
    found = f"(SELECT {key} AS low FROM {rows} WHERE {key} IS NOT NULL)"
    return connection.sql(f"FROM {found} USING SAMPLE {_SAMPLE_ROWS} ROWS").to_arrow_table()


def _in_buckets(
    connection: duckdb.DuckDBPyConnection,
    routes: Routes,
    rows: str,
    keys: Sequence[str],
    columns: Columns,
    kind: bytes,
) -> Iterator[Chunk]:
    connection.register("bounds", unpack(routes.bounds))
    connection.register("overrides", unpack(routes.overrides))
    same = " AND ".join(f"r.{key} = o.{c.value}" for key, c in zip(keys, columns.key, strict=True))
    query = f"""
SELECT r.*, coalesce(o.bucket, b.bucket, 0)::INTEGER AS to_bucket FROM {rows} AS r
ASOF LEFT JOIN bounds AS b ON r.{keys[0]} >= b.low LEFT JOIN overrides AS o ON {same}
"""
    found = connection.sql(query).to_arrow_table()
    buckets = found.column("to_bucket")
    found = found.drop_columns(["to_bucket"])
    for bucket in pc.unique(buckets).to_pylist():
        yield bucket, kind + pack(found.filter(pc.equal(buckets, bucket)))


def _write(plan: Plan, rows: pa.Table) -> dict[str, Any]:
    path = f"part-{uuid.uuid4().hex}.zstd.parquet"
    sink = io.BytesIO()
    pq.write_table(rows, sink, compression="zstd", compression_level=1)
    data = sink.getvalue()
    write_file(f"{plan.uri}/{path}", data)
    stats: dict[str, Any] = {"numRecords": len(rows), "minValues": {}, "maxValues": {}, "nullCount": {}}
    for name in plan.statistics:
        column = rows.column(name)
        stats["nullCount"][name] = column.null_count
        found = pc.min_max(column)
        for end, into in (("min", "minValues"), ("max", "maxValues")):
            value = found[end].as_py()
            if (logged := _in_log(value)) is not None:
                stats[into][name] = logged
    # As it is: of characters that are escaped in pairs, delta-rs reads others, and would prune by them.
    return {"path": path, "size": len(data), "stats": json.dumps(stats, ensure_ascii=False)}


def _in_log(value: Any) -> Any:
    """A minimum or maximum as Delta's log has it; None: it can't have it."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
    if isinstance(value, Decimal):
        number = float(value)  # of 15 digits at the most, so it is exact
        return None if "e" in repr(number) else number
    return value.isoformat() if isinstance(value, date) else value
