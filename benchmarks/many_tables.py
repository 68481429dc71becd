"""What a lake of many tables costs: seconds and memory of a drain's steps, and requests of each to S3.

No stack: messages go to bronze as Debezium writes them. The tables are small, as only their number is of interest:

    python benchmarks/many_tables.py 100 1000
    python benchmarks/many_tables.py --s3 10 20     # on a stand-in for S3, which counts
"""

import argparse
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import boto3
import psutil
import pyarrow as pa
from silver_hour import CONTRACT, events

from connectors.cdc.contract_check import ContractCheck
from connectors.cdc.maintenance import maintain_table, maintained_tables
from connectors.cdc.merge import merge_table, pending_tables
from connectors.lake.bronze import BronzeLog
from connectors.lake.checked import Checked, record_checked
from connectors.lake.contract_log import record_contracts
from connectors.lake.epoch_log import ensure_epoch
from connectors.lake.layout import LakeLayout
from connectors.lake.reader import query_lake
from connectors.postgres.contracts import TableContract
from connectors.postgres.replication import ServerIdentity
from connectors.quality.freshness import open_tables, read_states
from connectors.settings import CdcSettings, LakeSettings, Settings
from connectors.streams.protocol import MESSAGES, RawBatch, StreamPartition
from deployments.stack.aws import ACCESS_KEY, REGION, AwsService
from deployments.stack.ports import HOST, pick_ports

ROWS = 100
FEW = 10
_REQUEST = re.compile(r'"(GET|PUT|POST|HEAD|DELETE) (\S+)')


def main() -> None:
    """Measures each number of tables, and prints a column of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tables", type=int, nargs="+", help="how many")
    parser.add_argument("--s3", action="store_true", help="on a stand-in for S3; counts requests")
    options = parser.parse_args()
    for count in options.tables:
        with (
            tempfile.TemporaryDirectory(prefix="bench-") as folder,
            serving(Path(folder)) if options.s3 else nullcontext() as log,
        ):
            root = "s3://lake/bench" if options.s3 else f"{folder}/lake"
            settings = Settings(home=Path(folder), lake=LakeSettings(root=root), cdc=CdcSettings(source="s"))
            print(f"{count} tables")
            for step, seconds, requests in steps(settings, count, log):
                kinds = "".join(f"{kind:>6} {number:,}" for kind, number in sorted(requests.items()))
                print(f"  {step:<46}{seconds:>8.2f} s{kinds}", flush=True)
            print(f"  {'memory':<46}{psutil.Process().memory_info().rss / 1e6:>8.0f} MB")


class CountedService(AwsService):
    """Moto's server, as it is: with a line for each request."""

    def command(self) -> list[str | Path]:
        """The server in the foreground."""
        return [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(self.port)]


@contextmanager
def serving(folder: Path) -> Iterator[Path]:
    """S3 in a process of its own, which writes down each request; where it does."""
    service = CountedService(folder / "aws", port=pick_ports(["aws"])["aws"])
    service.start()
    try:
        service.wait_ready()
        os.environ |= {"AWS_ENDPOINT_URL": service.address, "AWS_REGION": REGION}
        os.environ |= {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": ACCESS_KEY}
        boto3.client("s3", region_name=REGION).create_bucket(Bucket="lake")
        yield service.log
    finally:
        service.stop()


def steps(settings: Settings, count: int, log: Path | None) -> Iterator[tuple[str, float, Counter[str]]]:
    """Runs each step, and yields its name, seconds and requests."""
    layout = LakeLayout.of(settings)
    contracts = [CONTRACT.model_copy(update={"table_name": f"t{n:04}"}) for n in range(count)]
    lsn = iter(range(1, 1_000))

    def timed(name: str, work: Callable[[], object]) -> tuple[str, float, Counter[str]]:
        seen = len(log.read_bytes()) if log else 0
        began = time.monotonic()
        work()
        took = time.monotonic() - began
        lines = log.read_bytes()[seen:].decode().splitlines() if log else []
        return name, took, Counter(kind_of(*found.groups()) for line in lines if (found := _REQUEST.search(line)))

    def change(some: list[TableContract]) -> None:
        append(bronze, some, next(lsn))
        record_checked(layout, Checked(bronze.batch))

    def merge() -> None:
        for pending in pending_tables(settings):
            merge_table(settings, pending.table, checked=ContractCheck(bronze.batch))

    def read() -> None:
        with query_lake(settings, "SELECT count(*) FROM silver.t0000") as result:
            assert result.fetchall() == [(ROWS,)]

    def maintain() -> None:
        for table in maintained_tables(settings):
            maintain_table(settings, table, dry_run=True)

    record_contracts(layout, contracts, 0)
    identity = ServerIdentity(system_identifier="1", timeline=1)
    ensure_epoch(layout, slot="s", slot_exists=True, identity=identity, tables=[c.table for c in contracts])
    bronze = BronzeLog(layout)
    yield timed("bronze: a batch of all tables", lambda: change(contracts))
    yield timed("silver: all tables made and merged", merge)
    yield timed(f"bronze: a batch of {FEW} tables", lambda: change(contracts[:FEW]))
    yield timed(f"what is pending, of {FEW} tables", lambda: pending_tables(settings))
    yield timed(f"silver: {FEW} tables merged", merge)
    yield timed("bronze: a batch of all tables", lambda: change(contracts))
    yield timed("a query, all tables with something pending", read)
    yield timed("silver: all tables merged", merge)
    yield timed("a query, nothing pending", read)
    yield timed("freshness of all tables", lambda: read_states(settings, open_tables(settings)))
    yield timed("maintenance, nothing to do", maintain)


def append(bronze: BronzeLog, contracts: list[TableContract], lsn: int) -> None:
    """Commits a micro-batch with changes of some tables."""
    names = [f"s.{contract.table}" for contract in contracts]
    total = ROWS * len(names)
    spread = pa.array([name for name in names for _ in range(ROWS)])
    first = lsn * ROWS
    columns = {
        "topic": spread,
        "topic_id": spread,
        "stream_partition": pa.repeat(0, total),
        "stream_offset": pa.array([first + n for _ in names for n in range(ROWS)]),
        "stream_time": pa.repeat(1_700_000_000_000, total),
        "key": pa.repeat(b"{}", total),
        "value": pa.concat_arrays([events(range(ROWS), op="u", lsn=lsn)] * len(names)),
        "headers": pa.array([[("lakehouse.epoch", b"1")]] * total, MESSAGES.field("headers").type),
    }
    raw = RawBatch(
        pa.table([columns[field.name] for field in MESSAGES], MESSAGES),
        {StreamPartition(name, name, 0): first + ROWS for name in names},
    )
    bronze.append(raw, tables={f"s.{contract.table}": str(contract.table) for contract in contracts})


def kind_of(method: str, path: str) -> str:
    """What a request is, by its price."""
    if method == "GET":
        return "LIST" if "list-type" in path or "prefix=" in path else "GET"
    return method


if __name__ == "__main__":
    main()
