"""Merges of many changes in one process, cut by keys in one process, and on Spark: seconds, CPU, memory.

A table of ROWS rows, a tenth of them updated at random. Spark runs in local mode with two threads:

    PYTHONPATH=.boot/spark:. PYSPARK_PYTHON=.venv/bin/python .venv/bin/python benchmarks/engines.py

(`make test-spark` installs Spark there.) Each measurement is a process of its own, on a copy of one lake.
"""

import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from silver_hour import ROWS, TABLE, append, events, fill, settings_of

from connectors.cdc.contract_check import ContractCheck
from connectors.cdc.merge import merge_table
from connectors.lake.bronze import BronzeLog
from connectors.lake.engines.local import LocalRunner
from connectors.lake.engines.spark import SparkRunner
from connectors.lake.layout import LakeLayout
from connectors.lake.reader import query_lake

PORTION = 100_000
ENGINES = ("one process", "partitioned", "Spark")


def main() -> None:
    """Measures, and prints a table."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        filled = Path(folder) / "filled"
        settings = settings_of(filled, merge_seconds=0)
        fill(settings)
        bronze, rng = BronzeLog(LakeLayout.of(settings)), random.Random(7)
        keys = rng.sample(range(ROWS), ROWS // 10)
        for start in range(0, len(keys), PORTION):
            append(bronze, ROWS + start, events(keys[start : start + PORTION], op="u", lsn=100))
        print(f"{'engine':<14}{'rows':>12}{'changes':>10}{'seconds':>9}{'CPU s':>8}{'peak MB':>9}")
        for engine in ENGINES:
            home = Path(folder) / engine.replace(" ", "-")
            shutil.copytree(filled, home)
            done = subprocess.run(
                [sys.executable, __file__, str(home), engine], check=True, capture_output=True, text=True
            )
            found = json.loads(done.stdout.splitlines()[-1])
            shown = f"{found['seconds']:>9.1f}{found['cpu']:>8.1f}{found['peak'] / 1e6:>9.0f}"
            print(f"{engine:<14}{ROWS:>12,}{found['changes']:>10,}{shown}", flush=True)
            shutil.rmtree(home)


def measure(home: str, engine: str) -> None:
    """Merges with one engine, in this process."""
    settings = settings_of(Path(home), merge_seconds=0)
    runner = runner_of(engine)
    began, (before, _) = time.monotonic(), usage()
    report = merge_table(settings, TABLE, checked=ContractCheck(10**9), runner=runner)
    seconds, (after, peak) = time.monotonic() - began, usage()
    if isinstance(runner, SparkRunner):
        runner.stop()
    with query_lake(settings, "SELECT count(*), count(*) FILTER (_cdc_lsn = 100) FROM silver.item") as result:
        assert result.fetchall() == [(ROWS, ROWS // 10)]
    print(json.dumps({"seconds": seconds, "cpu": after - before, "peak": peak, "changes": report.changes}))


def runner_of(engine: str) -> Any:
    """The runner of an engine, warm; None: the merge is not cut."""
    if engine == "one process":
        return None
    if engine == "partitioned":
        return LocalRunner()
    from pyspark.sql import SparkSession  # noqa: PLC0415 - where it is installed

    builder = SparkSession.builder.master("local[2]").config("spark.sql.execution.arrow.maxRecordsPerBatch", "1")
    options = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    for name, value in options.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    session.range(2).count()
    return SparkRunner(session)


def usage() -> tuple[float, int]:
    """CPU seconds and the sum of the peaks of memory of this process and all that it started, Spark's too."""
    this = psutil.Process()
    cpu, peak = 0.0, 0
    for process in (this, *this.children(recursive=True)):
        times = process.cpu_times()
        cpu += times.user + times.system + times.children_user + times.children_system
        status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        peak += sum(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    return cpu, peak


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(*sys.argv[1:])
    else:
        main()
