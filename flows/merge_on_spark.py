"""Silver tables that outgrow one machine: merged or rebuilt by a job on Spark."""

from functools import partial
from typing import Annotated

from pydantic import Field

from connectors.cdc.reports import SparkReport
from connectors.settings import load_settings
from flows.outcome import ended
from flows.run_names import timed
from flows.served import flow
from tasks.spark import submit_merge, tables_for_spark
from tasks.spark_artifacts import publish_spark
from tasks.summaries import summarise_spark


@flow(name="merge-on-spark", flow_run_name=partial(timed, "spark"))
def merge_on_spark(
    tables: Annotated[list[str], Field(min_length=1)] | None = None, rebuild: bool = False
) -> SparkReport | None:
    """Has silver tables merged by a job on EMR Serverless, and waits for it; drains and readers go on meanwhile.

    A run that is cancelled cancels the job. Of a run that was killed, the job goes on, and the next run waits for it.

    Args:
        tables: Tables, as `schema.table` patterns with `*` and `?`. Empty: those of LAKEHOUSE_SPARK__TABLES and
            LAKEHOUSE_SPARK__ABOVE_ROWS of which a merge is due.
        rebuild: Rebuild them from bronze, beside the old ones.
    """
    settings = load_settings()
    chosen = tables_for_spark(settings, tables, rebuild=rebuild)
    report = submit_merge(settings, chosen, rebuild=rebuild) if chosen else None
    if report is not None:
        publish_spark(settings.cdc.source, report)
    return ended(lambda: report, summarise_spark(report, rebuild=rebuild))
