"""What a writer leaves behind that was killed in the middle of a file is no part of the lake."""

from pathlib import Path

import pytest

from connectors.lake.bronze import BronzeLog
from tests.events import PARTITION, event
from tests.silver_lake import Lake, row

# A file has its name only once it is whole: delta-rs writes to one with a number behind.
LEFT_IN_TABLE = ["part-0.zstd.parquet#1", "part-0.zstd.parquet", "source_table=public.t/part-0.zstd.parquet"]
LEFT_IN_LOG = [
    "{next}.json#1",
    "{next}.json.tmp",
    "_commit_0.json.tmp",
    "{last}.checkpoint.parquet#1",
    "_last_checkpoint#1",
]


@pytest.fixture
def lake(tmp_path):
    lake = Lake(str(tmp_path))
    lake.receive(event("c", row(1, "a", "x"), lsn=10), (b"k", b"{broken", [("lakehouse.epoch", b"1")])).merge()
    return lake


def tables(lake):
    return map(Path, [lake.layout.bronze, lake.layout.silver(lake.contract.table), lake.layout.quarantine])


@pytest.mark.parametrize("share", [0, 0.5], ids=["empty", "half"])
def test_torn_files_are_passed_over(lake, share):
    for uri in tables(lake):
        data = next(uri.rglob("*.parquet")).read_bytes()
        last = max(uri.glob("_delta_log/*.json"))
        numbers = {"last": last.stem, "next": f"{int(last.stem) + 1:020}"}
        left = {uri / name: data for name in LEFT_IN_TABLE}
        left |= {last.with_name(name.format(**numbers)): last.read_bytes() for name in LEFT_IN_LOG}
        for file, whole in left.items():
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(whole[: int(len(whole) * share)])
    # Another process takes the lake up: nothing is lost, nothing is there twice.
    lake.bronze = BronzeLog(lake.layout)
    assert lake.bronze.positions([PARTITION]) == {PARTITION: 2}
    lake.receive(event("c", row(2, "b", "y"), lsn=20, prev=15), (b"k", b"{torn", [("lakehouse.epoch", b"1")])).merge()
    assert lake.rows() == [(1, "a", "x"), (2, "b", "y")]
    assert lake.select("stream_offset", table=lake.layout.bronze) == [(0,), (1,), (2,), (3,)]
    assert lake.select("stream_offset", table=lake.layout.quarantine) == [(1,), (3,)]
