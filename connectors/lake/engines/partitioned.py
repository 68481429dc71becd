"""A merge in many processes: changes and rows are cut by ranges of keys, merged range by range, and committed at once.

For what one machine can't fold. It reads the whole table and writes it anew, sorted by key; where few rows change, a
merge in one process writes less. Workers write files that nobody sees; one commit here, by delta-rs, makes them the
table, with its progress. So both engines may try at once: one wins, the other reloads.
"""

import json
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from deltalake.transaction import AddAction, RemoveAction

from connectors.changes.decode import Messages
from connectors.changes.low_watermark import LowWatermark
from connectors.changes.markers import Marker
from connectors.changes.order import Position
from connectors.errors import ConfigurationError
from connectors.failpoints import failpoint
from connectors.lake.bronze import BronzeFile
from connectors.lake.commits import committing, with_progress
from connectors.lake.engines.duckdb import DUCKDB
from connectors.lake.engines.workers import (
    FACTS,
    MOVES,
    REJECTED,
    SAMPLE,
    Chunk,
    Plan,
    Routes,
    decode_file,
    merge_bucket,
    pack,
    sample_file,
    send_changes,
    send_stored,
    unpack,
)
from connectors.lake.silver.merge import SliceReport
from connectors.lake.silver.narrow import require_known_columns
from connectors.lake.silver.statistics import statistics_columns
from connectors.lake.silver.table import FILE_SIZE, SilverTable
from connectors.lake.storage import data_files
from connectors.lake.views import duckdb_columns

Chunks = TypeVar("Chunks")


class Runner(Protocol[Chunks]):
    """Runs steps over chunks, wherever they are."""

    def spread(self, payloads: Iterable[bytes]) -> Chunks:
        """Makes chunks of payloads, numbered from 0."""
        ...

    def each(self, chunks: Chunks, step: Callable[[int, bytes], Iterator[Chunk]]) -> Chunks:
        """Runs a step on each chunk, once; its result may be used several times."""
        ...

    def join(self, chunks: Sequence[Chunks], step: Callable[[int, Sequence[bytes]], Iterator[bytes]]) -> list[bytes]:
        """Runs a step on all payloads of each number, and returns what comes of them."""
        ...

    def collect(self, chunks: Chunks, number: int) -> list[bytes]:
        """Returns the payloads of one number."""
        ...


def merge_partitioned(
    silver: SilverTable,
    files: Sequence[BronzeFile],
    *,
    up_to_batch: int,
    through: Marker | None = None,
    runner: Runner[Any],
    bucket_size: int = FILE_SIZE,
) -> SliceReport:
    """Merges all that is pending of a table with a key, in one commit.

    Args:
        silver: The table; the rows of a resync are in it already.
        files: The files of bronze with its pending batches.
        up_to_batch: The last batch to read.
        through: Leave what was committed after this marker, and stay before its first batch.
        runner: Where the work is done.
        bucket_size: Bytes of silver and bronze that one worker merges at a time.

    Raises:
        CommitConflict: Another writer committed first: reload, and see what is left to do.
        ConfigurationError: The table has no key, or awaits a resync: merge it in one process.
        ContractMismatch: The columns of the events, or of silver, are not the contract's: the table is paused.
    """
    if not silver.contract.key or silver.awaits_resync:
        raise ConfigurationError(
            f"{silver.contract.table} has no key, or is being resynced", hint="merge it with the engine `duckdb`"
        )
    silver.adopt_columns()
    stored = data_files(silver.uri, silver.table)
    plan = _plan(silver, up_to_batch=up_to_batch, through=through)
    changes = runner.each(runner.spread(f.path.encode() for f in files), partial(decode_file, plan))
    rows = runner.spread(file["path"].encode() for file in stored)
    facts = [json.loads(found) for found in runner.collect(changes, FACTS)]
    for fact in facts:
        require_known_columns(silver.contract, fact["strange_shape"])
    rejected = _together(runner.collect(changes, REJECTED))
    samples = [*runner.collect(changes, SAMPLE), *runner.collect(runner.each(rows, partial(sample_file, plan)), SAMPLE)]
    size = sum(file["size_bytes"] for file in stored) + sum(f.size for f in files)
    bounds = _bounds(samples, buckets=max(1, round(size / bucket_size)))
    routes = Routes(
        bounds=pack(bounds),
        overrides=pack(_overrides(silver, runner.collect(changes, MOVES), bounds)),
        rejected=pack(rejected),
        low_watermark=_new_low_watermark(facts, reached=silver.progress.low_watermark),
    )
    sent = (
        runner.each(changes, partial(send_changes, plan, routes)),
        runner.each(rows, partial(send_stored, plan, routes)),
    )
    results = [json.loads(found) for found in runner.join(sent, partial(merge_bucket, plan, routes))]
    held_back = [fact["held_back"] for fact in facts if fact["held_back"] is not None]
    reached = min([up_to_batch, *(batch - 1 for batch in held_back)])
    unknown = [unpack(bytes.fromhex(result["rejected"])) for result in results]
    count = _quarantine(silver, files, pa.concat_tables([rejected, *unknown]), up_to_batch=reached)
    failpoint("quarantined")
    _commit(silver, [file for result in results for file in result["files"]], routes, up_to_batch=reached)
    failpoint("silver-committed")
    return SliceReport(sum(fact["changes"] for fact in facts), count, reached)


def _plan(silver: SilverTable, *, up_to_batch: int, through: Marker | None) -> Plan:
    return Plan(
        root=silver.layout.root,
        uri=silver.uri,
        contract=silver.contract,
        placeholder=silver.placeholder,
        baseline=silver.baseline,
        progress=silver.progress,
        up_to_batch=up_to_batch,
        through=through,
        columns=duckdb_columns(silver.table),
        statistics=statistics_columns(silver.columns),
    )


def _together(payloads: Sequence[bytes]) -> pa.Table:
    tables = [unpack(payload) for payload in payloads]
    return pa.concat_tables(tables, promote_options="permissive")


def _new_low_watermark(facts: Sequence[dict[str, Any]], *, reached: Position) -> LowWatermark | None:
    marks = [fact["low_watermark"] for fact in facts if fact.get("low_watermark")]
    if not marks:
        return None
    highest = max(Position(*mark[:4]) for mark in marks)
    if highest <= reached:
        return None
    moments = [mark[4] for mark in marks if Position(*mark[:4]) == highest and mark[4] is not None]
    return LowWatermark(highest, min(map(_moment, moments)) if moments else None)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _bounds(samples: Sequence[bytes], *, buckets: int) -> pa.Table:
    """Returns the first key of each bucket but the first, so that all get about as many of the sampled keys."""
    keys = _together(samples).column("low")
    ordered = keys.take(pc.sort_indices(keys))
    wanted = sorted({len(ordered) * n // buckets for n in range(1, buckets)}) if len(ordered) else []
    lows = pc.unique(ordered.take(pa.array(wanted, pa.int64())))
    return pa.table({"low": lows, "bucket": pa.array(range(1, len(lows) + 1), pa.int32())})


def _overrides(silver: SilverTable, moves: Sequence[bytes], bounds: pa.Table) -> pa.Table:
    """Returns the bucket of each key that has to be with another one: a row's value may be under its old key."""
    found, width = _together(moves), len(silver.contract.key)
    leader: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def first_of(key: tuple[Any, ...]) -> tuple[Any, ...]:
        while leader.setdefault(key, key) != key:
            key = leader[key]
        return key

    for row in found.to_pylist():
        values = tuple(row.values())
        leader[first_of(values[width:])] = first_of(values[:width])
    lows = bounds.column("low").to_pylist()
    keys = list(leader)
    columns = {
        name: pa.array([key[n] for key in keys], found.schema.field(name).type)
        for n, name in enumerate(found.column_names[:width])
    }
    return pa.table({**columns, "bucket": pa.array([bisect_right(lows, first_of(key)[0]) for key in keys], pa.int32())})


def _quarantine(silver: SilverTable, files: Sequence[BronzeFile], rejected: pa.Table, *, up_to_batch: int) -> int:
    with DUCKDB.workspace(silver) as work:
        work.connection.register("found", rejected)
        work.create("rejected", "FROM found")
        return DUCKDB.quarantine(work, silver, Messages([f.path for f in files], silver.batch, up_to_batch))


def _commit(silver: SilverTable, files: Sequence[dict[str, Any]], routes: Routes, *, up_to_batch: int) -> None:
    mark = routes.low_watermark
    progress = silver.progress.advance(up_to_batch, silver.progress.low_watermark if mark is None else mark.position)
    now = time.time_ns() // 1_000_000
    actions: list[AddAction | RemoveAction] = [
        AddAction(f["path"], f["size"], {}, now, True, f["stats"]) for f in files
    ]
    with committing(silver.table):
        silver.table.create_write_transaction(
            actions,
            mode="overwrite",
            schema=silver.table.schema(),
            # Tried again on top of a compaction, it would leave the rows that this one wrote.
            commit_properties=with_progress(progress.as_transactions(), tries=1),
        )
    silver.progress = progress
