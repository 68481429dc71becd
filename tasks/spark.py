"""Tasks of the Spark job: which tables it is for, and its run."""

from collections.abc import Sequence
from pkgutil import resolve_name
from typing import cast

from prefect.logging import get_run_logger

from connectors.cdc.reports import SparkReport
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings
from tasks.policy import preset_task


@preset_task("find tables for Spark of {settings.cdc.source}", "connectors.cdc.spark_job:tables_for_spark")
def tables_for_spark(
    settings: Settings, patterns: Sequence[str] | None = None, *, rebuild: bool = False
) -> list[TableName]:
    """Finds the tables of which the job has something to do."""


# The job may take as long as the application lets it: EMR ends it.
@preset_task("run the Spark job of {settings.cdc.source}", timeout_seconds=None)
def submit_merge(settings: Settings, tables: Sequence[TableName], *, rebuild: bool) -> SparkReport:
    """Has EMR Serverless merge or rebuild tables; waits for the job, and cancels it when the run is cancelled."""
    run_on_spark = resolve_name("connectors.cdc.spark_job:run_on_spark")
    return cast(SparkReport, run_on_spark(settings, tables, rebuild=rebuild, say=get_run_logger().info))
