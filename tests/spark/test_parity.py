"""Spark leaves the same silver as one process does, to the bit, whatever the history."""

import random

import pytest

from connectors.lake.engines.local import LocalRunner
from connectors.lake.engines.partitioned import merge_partitioned
from connectors.lake.engines.spark import SparkRunner
from tests.events import PLACEHOLDER, event
from tests.silver_lake import KEYED, Lake, row

HISTORIES = 6
STORED = "* EXCLUDE (_cdc_merged_at)"


def history(seed, *, lsn=0, changes=60):
    """Changes of a few rows in all ways: large values unchanged, keys that change, truncations, what can't be read."""
    rng, live, events = random.Random(seed), {}, []
    for _ in range(changes):
        lsn += 10
        at = {"lsn": lsn, "prev": lsn - 5}
        kind = rng.choices(["write", "delete", "move", "truncate", "broken"], [60, 15, 15, 1, 2])[0]
        key = rng.randint(1, 12)
        big = PLACEHOLDER if key in live and rng.random() < 0.4 else f"large {lsn}"
        if kind == "write":
            events.append(event("u" if key in live else "c", row(key, f"name {lsn}", big), **at))
            live[key] = True
        elif kind == "delete" and key in live:
            events.append(event("d", row(key, None, None), **at))
            del live[key]
        elif kind == "move" and key in live and (free := sorted({*range(1, 15)} - live.keys())):
            to = rng.choice(free)
            events.append(event("d", row(key, None, None), **at))
            events.append(event("c", row(to, f"moved {lsn}", PLACEHOLDER), old_key={"id": key}, **at))
            del live[key]
            live[to] = True
        elif kind == "truncate":
            events.append(event("t", **at))
            live.clear()
        elif kind == "broken":
            events.append((b'{"id":7}', b"{broken", [("lakehouse.epoch", b"1")]))
    return events


class PartitionedLake(Lake):
    """Merges with one runner, a few keys in each bucket."""

    runner = LocalRunner()

    def _merge(self, rows):
        silver = self.silver()
        files = self.bronze.files(after_batch=silver.batch).get("public.t", [])
        options = {"up_to_batch": self.bronze.batch, "runner": self.runner, "bucket_size": 2_000}
        return [merge_partitioned(silver, files, **options)] if files else []


def lived(lake, seed):
    """The lake after a history that came in three batches."""
    events = history(seed)
    for part in (events[:25], events[25:40], events[40:]):
        lake.receive(*part)
        if part is not events[25:40]:
            lake._merge(10**6)
    return lake


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_all_engines_leave_the_same_rows(spark, tmp_path, seed):
    one = lived(Lake(f"{tmp_path}/one"), seed)
    local = lived(PartitionedLake(f"{tmp_path}/local"), seed)
    distributed = PartitionedLake(f"{tmp_path}/spark")
    distributed.runner = SparkRunner(spark)
    lived(distributed, seed)
    assert one.select(STORED)
    assert local.select(STORED) == one.select(STORED)
    assert distributed.select(STORED) == one.select(STORED)
    rejected = [lake.select("stream_offset, reason", table=lake.layout.quarantine) for lake in (one, distributed)]
    assert rejected[0] == rejected[1]


def test_many_rows_are_spread_and_joined_again(spark, tmp_path):
    lake = PartitionedLake(f"{tmp_path}/lake", KEYED)
    lake.runner = SparkRunner(spark)
    lake.receive(*(event("c", row(n, f"name {n}", "x"), lsn=10 + n, prev=5) for n in range(5_000)))
    lake.receive(*(event("u", row(n, "new", PLACEHOLDER), lsn=10_000 + n, prev=9_999) for n in range(0, 5_000, 7)))
    lake._merge(10**6)
    assert lake.rows() == sorted(((n, "new" if n % 7 == 0 else f"name {n}", "x") for n in range(5_000)), key=repr)
