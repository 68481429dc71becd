"""`lakehouse rebuild` and `lakehouse resync`: silver tables from bronze again, or from the source again."""

from collections.abc import Callable
from typing import Annotated

import typer
from rich.table import Table

from connectors.cdc.outcomes import one_by_one, require_all, succeeded
from connectors.cdc.rebuild import rebuild_checked
from connectors.cdc.reports import RebuildReport
from connectors.cdc.resync import resync_table
from connectors.lake.contract_log import captured_tables
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings, load_settings
from deployments.cli.console import data, progress

PANEL = "Repair"

Tables = Annotated[list[str], typer.Argument(help="Tables, as `schema.table` with * and ?.", metavar="TABLE...")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (rebuild, resync):
        app.command(rich_help_panel=PANEL)(command)


def rebuild(tables: Tables) -> None:
    """Rebuild silver tables from bronze. Of the source, only the catalogue is read.

    Builds each table beside the old one, which stays readable, and switches to it in one commit. Resumes after an
    interruption. Shows how many rows differed: none, if silver was right.

    Example: lakehouse rebuild public.orders
    """
    _make_anew(rebuild_checked, tables, doing="Rebuilding", done="rebuilt")


def resync(tables: Tables) -> None:
    """Take a new snapshot of tables from the source, with their current columns, while capture goes on.

    Resumes a table that is paused after schema drift, and repairs one that differs from its source.
    Readers see the old rows until one commit switches to the new ones.

    Example: lakehouse resync public.orders
    """
    _make_anew(resync_table, tables, doing="Reading", done="read")


def _make_anew(
    make: Callable[[Settings, TableName], RebuildReport], patterns: list[str], *, doing: str, done: str
) -> None:
    settings = load_settings()
    shown = Table("table", box=None, pad_edge=False)
    for name in ("rows", "differing", "seconds"):
        shown.add_column(name, justify="right")

    def make_shown(table: TableName) -> RebuildReport:
        with progress(f"{doing} {table}"):
            return make(settings, table)

    tables = captured_tables(settings, patterns)
    outcomes = one_by_one(tables, make_shown)
    for report in succeeded(outcomes):
        shown.add_row(str(report.table), f"{report.rows:,}", f"{report.differing:,}", f"{report.seconds:.1f}")
    data.print(shown)
    require_all(outcomes, done=done)
