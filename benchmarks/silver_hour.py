"""An hour of drains by the minute: what silver costs if every drain merges, and if a merge waits until it is worth it.

A table of 3M rows, 50 random updates a minute. No stack: messages go to bronze as Debezium writes them, the clock is
simulated. Prints the seconds of what a drain does behind bronze, what was written, and what a reader pays.
"""

import json
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from connectors.cdc.contract_check import ContractCheck
from connectors.cdc.merge import merge_table, pending_tables
from connectors.lake.bronze import BronzeLog
from connectors.lake.checked import Checked, record_checked
from connectors.lake.contract_log import record_contracts
from connectors.lake.epoch_log import ensure_epoch
from connectors.lake.layout import LakeLayout
from connectors.lake.reader import query_lake
from connectors.postgres.contracts import ColumnContract, TableContract
from connectors.postgres.identifiers import quote_literal
from connectors.postgres.replication import ServerIdentity
from connectors.settings import CdcSettings, LakeSettings, Settings
from connectors.streams.protocol import MESSAGES, RawBatch, StreamPartition

ROWS = int(os.environ.get("ROWS", "3_000_000"))
MINUTES = int(os.environ.get("MINUTES", "60"))
UPDATES = 50
PORTION = 500_000
START = datetime(2026, 1, 1, tzinfo=UTC)
CONTRACT = TableContract(
    schema_name="public",
    table_name="item",
    columns=(
        ColumnContract(name="id", type_name="int4", nullable=False),
        ColumnContract(name="n", type_name="int4"),
        ColumnContract(name="name", type_name="varchar"),
        ColumnContract(name="note", type_name="varchar"),
    ),
    key=("id",),
)
TABLE = CONTRACT.table
PARTITION = StreamPartition("s.public.item", "topic-id", 0)
QUERY = "SELECT count(*), sum(n), max(_cdc_lsn) FROM silver.item"


def main() -> None:
    """Measures, and prints a table."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        filled = Path(folder) / "filled"
        fill(settings_of(filled, merge_seconds=0))
        heads = (f"{'merges':<14}{'count':>6}{'idle s':>8}{'merge s':>9}", f"{'MB written':>12}{'files':>7}")
        print(*heads, f"{'read s':>8}{'merged s':>10}", sep="")
        for name, seconds in (("every minute", 0), ("when due", 1800)):
            home = Path(folder) / name.replace(" ", "-")
            shutil.copytree(filled, home)
            print(f"{name:<14}{''.join(measure(settings_of(home, merge_seconds=seconds)))}", flush=True)
            shutil.rmtree(home)


def settings_of(home: Path, *, merge_seconds: int) -> Settings:
    """Settings of a lake in a folder."""
    cdc = CdcSettings(source="s", merge_seconds=merge_seconds)
    return Settings(home=home, lake=LakeSettings(root=str(home / "lake")), cdc=cdc)


def fill(settings: Settings) -> None:
    """Makes the table, and merges its first rows."""
    layout = LakeLayout.of(settings)
    record_contracts(layout, [CONTRACT], 0)
    identity = ServerIdentity(system_identifier="1", timeline=1)
    ensure_epoch(layout, slot="s", slot_exists=True, identity=identity, tables=[TABLE])
    bronze = BronzeLog(layout)
    for first in range(0, ROWS, PORTION):
        append(bronze, first, events(range(first, first + PORTION), op="r", lsn=1))
    merge_table(settings, TABLE, checked=ContractCheck(bronze.batch))
    assert len(silver_files(settings)) > 1, "the table is too small to say anything"


def measure(settings: Settings) -> Iterator[str]:
    """Lives through an hour of updates."""
    bronze, rng = BronzeLog(LakeLayout.of(settings)), random.Random(7)
    waiting_since = None
    idle, merging, fresh, merged = [], [], [], []
    before = set(silver_files(settings))
    for minute in range(MINUTES):
        now = START + timedelta(minutes=minute)
        keys = rng.sample(range(ROWS), UPDATES)
        append(bronze, ROWS + minute * UPDATES, events(keys, op="u", lsn=100 + minute))
        began = time.monotonic()
        [pending] = pending_tables(settings)
        waiting_since = waiting_since or now
        due = replace(pending, since=waiting_since).is_due(settings.cdc, now)
        if due:
            merge_table(settings, TABLE, checked=ContractCheck(bronze.batch))
            waiting_since = None
        record_checked(LakeLayout.of(settings), Checked(bronze.batch))
        (merging if due else idle).append(time.monotonic() - began)
        if minute % 5 == 4:
            took, newest = read(settings)
            (merged if due else fresh).append(took)
            assert newest == 100 + minute, "a reader misses changes"
    written = set(silver_files(settings)) - before
    size = sum(Path(file).stat().st_size for file in written)
    yield f"{len(merging):>6}{middle(idle):>8}{middle(merging):>9}{size / 1e6:>12,.0f}{len(written):>7}"
    yield f"{middle(fresh):>8}{middle(merged):>10}"


def read(settings: Settings, *, rows: int = ROWS) -> tuple[float, int]:
    """How long a query takes with all it has to open, and the newest change that it sees."""
    began = time.monotonic()
    with query_lake(settings, QUERY) as result:
        [(count, _, newest)] = result.fetchall()
    assert count == rows
    return time.monotonic() - began, newest


def middle(seconds: list[float]) -> str:
    """The median."""
    return f"{statistics.median(seconds):.2f}" if seconds else "-"


def silver_files(settings: Settings) -> list[str]:
    """All files of the table, live ones and those that a merge replaced."""
    return [str(path) for path in Path(LakeLayout.of(settings).silver(TABLE)).glob("*.parquet")]


def append(bronze: BronzeLog, offset: int, values: pa.Array) -> None:
    """Commits one micro-batch of events."""
    count = len(values)
    headers = pa.array([[("lakehouse.epoch", b"1")]] * count, MESSAGES.field("headers").type)
    columns = {
        "topic": pa.repeat(PARTITION.topic, count),
        "topic_id": pa.repeat(PARTITION.topic_id, count),
        "stream_partition": pa.repeat(0, count),
        "stream_offset": pa.array(range(offset, offset + count)),
        "stream_time": pa.repeat(1_700_000_000_000, count),
        "key": pa.repeat(b"{}", count),
        "value": values,
        "headers": headers,
    }
    table = pa.table([columns[name] for name in MESSAGES.names], names=MESSAGES.names).cast(MESSAGES)
    bronze.append(RawBatch(table, {PARTITION: offset + count}), tables={PARTITION.topic: str(TABLE)})


def events(keys: Iterable[int], *, op: str, lsn: int) -> pa.Array:
    """Envelopes of rows of some keys."""
    source = json.dumps({"lsn": lsn, "sequence": json.dumps([str(lsn), str(lsn)]), "ts_ms": 1_700_000_000_000})
    row = f"{{id: id, n: id % 100, name: 'name ' || id % 5000, note: left(md5(id::VARCHAR || '{lsn}'), 8)}}"
    head, tail = f'{{"op":"{op}","before":null,"after":', f',"source":{source}}}'
    with duckdb.connect() as connection:
        connection.register("keys", pa.table({"id": pa.array(keys, pa.int64())}))
        query = f"SELECT encode({quote_literal(head)} || to_json({row})::VARCHAR || {quote_literal(tail)}) FROM keys"
        return connection.sql(query).to_arrow_table().column(0).combine_chunks()


if __name__ == "__main__":
    main()
