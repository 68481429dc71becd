"""`lakehouse merge-on-spark`: silver tables that outgrow one machine."""

from typing import Annotated

import typer

from connectors.settings import load_settings
from deployments.cli.console import talk
from tasks.summaries import summarise_spark

PANEL = "Upkeep"


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("merge-on-spark", rich_help_panel=PANEL)(merge_on_spark)


def merge_on_spark(
    tables: Annotated[
        list[str] | None,
        typer.Argument(help="As `schema.table` with * and ?; default: those of the settings that are due."),
    ] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Rebuild them from bronze, beside the old ones.")] = False,
) -> None:
    """Merge silver tables by a Spark job on EMR Serverless, and wait for it.

    For tables that one machine merges too slowly. Ctrl-C cancels the job; after a kill it goes on, and the same command
    waits for it. The same as the Prefect deployment `merge-on-spark/spark-local`, without Prefect.

    Example: lakehouse merge-on-spark public.orders
    """
    from connectors.cdc.spark_job import run_on_spark, tables_for_spark  # noqa: PLC0415 - boto3 slows every command down

    settings = load_settings()
    chosen = tables_for_spark(settings, tables, rebuild=rebuild)
    report = run_on_spark(settings, chosen, rebuild=rebuild, say=talk.print) if chosen else None
    talk.print(summarise_spark(report, rebuild=rebuild))
