"""The page of the last Spark job."""

from prefect.artifacts import create_markdown_artifact

from connectors.cdc.reports import SparkReport
from tasks.markdown import table


def publish_spark(source: str, report: SparkReport) -> None:
    """Publishes what a Spark job did, and what it cost."""
    create_markdown_artifact(
        render_spark(report),
        key=f"spark-{source.replace('_', '-')}",
        description=f"What the last Spark job did for the silver tables of {source}.",
    )


def render_spark(report: SparkReport) -> str:
    """Returns the page of a Spark job."""
    job = report.job
    return "\n\n".join(
        [
            f"## {job.name or job.id}",
            table(("table",), [(str(name),) for name in report.tables]),
            f"Job `{job.id}` ran {job.seconds:,.0f} s: {job.vcpu_hours:.2f} vCPU hours and {job.memory_gb_hours:.2f} "
            f"GB hours, about ${job.dollars:.2f} by the list prices of us-east-1.",
            "EMR keeps its log for 30 days." if report.logs is None else f"The log of its driver: `{report.logs}`",
        ]
    )
