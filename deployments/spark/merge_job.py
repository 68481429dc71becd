"""Merges what is pending of tables on Spark, or rebuilds them: `spark-submit merge_job.py 'public.*'`.

For tables that one machine merges too slowly. It needs the lake, and no source: it goes no further than the last drain
checked. The settings come from the environment, as everywhere; Python on the executors has to have this library.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from connectors.cdc.contract_check import ContractCheck
from connectors.cdc.merge import merge_table
from connectors.cdc.outcomes import one_by_one, require_all, succeeded
from connectors.cdc.rebuild import rebuild_silver
from connectors.cdc.reports import MergeReport, RebuildReport
from connectors.errors import ConfigurationError, LakehouseError
from connectors.lake.checked import read_checked
from connectors.lake.contract_log import captured_tables
from connectors.lake.engines.spark import SparkRunner
from connectors.lake.layout import LakeLayout
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings, load_settings

if TYPE_CHECKING:
    from connectors.lake.engines.partitioned import Runner


def work_on_tables(
    settings: Settings, patterns: Sequence[str], runner: "Runner[Any]", *, rebuild: bool = False
) -> list[MergeReport | RebuildReport]:
    """Merges or rebuilds the tables that patterns mean, one after the other; paused ones are left out.

    Raises:
        ConfigurationError: Nothing was drained yet, or no table is meant.
        TerminalError: A table failed; it says which, and why. The others did not.
    """
    checked = read_checked(LakeLayout.of(settings))
    if checked is None:
        raise ConfigurationError("no drain has checked the contracts yet", hint="run `lakehouse drain` first")
    tables = [table for table in captured_tables(settings, patterns) if table not in checked.paused]
    check = ContractCheck(checked.up_to_batch)

    def work(table: TableName) -> MergeReport | RebuildReport:
        step = rebuild_silver if rebuild else merge_table
        return step(settings, table, checked=check, runner=runner)

    outcomes = one_by_one(tables, work)
    require_all(outcomes, done="rebuilt" if rebuild else "merged")
    return succeeded(outcomes)


def main(argv: Sequence[str] | None = None) -> int:
    """Starts Spark, works, prints a line of JSON per table, and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tables", nargs="+", help="tables as `schema.table`, with * and ?")
    parser.add_argument("--rebuild", action="store_true", help="rebuild them from bronze, beside the old ones")
    options = parser.parse_args(argv)
    from pyspark.sql import SparkSession  # noqa: PLC0415 - where the job runs

    # A record is a chunk of many rows.
    builder = SparkSession.builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", "1")
    runner = SparkRunner(builder.appName("lakehouse merge").getOrCreate())
    try:
        for report in work_on_tables(load_settings(), options.tables, runner, rebuild=options.rebuild):
            sys.stdout.write(json.dumps({**asdict(report), "table": str(report.table)}) + "\n")
    except LakehouseError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    finally:
        runner.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
