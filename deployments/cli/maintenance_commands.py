"""`lakehouse maintain`: what the lake's tables are made of."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from connectors.cdc.maintenance import maintain_table, maintained_tables
from connectors.cdc.outcomes import one_by_one, require_all, succeeded
from connectors.cdc.reports import MaintenanceReport
from connectors.settings import load_settings
from deployments.cli.console import data, progress, talk

PANEL = "Upkeep"


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel=PANEL)(maintain)


def maintain(
    tables: Annotated[
        list[str] | None,
        typer.Argument(help="As `public.orders`, `shop_s3.clickstream` or `bronze`, with * and ?; default: all."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compact, sort and vacuum the tables of the lake, each only where it is worth it.

    Drains, loads and queries go on meanwhile. Killed, it is run again.
    The same as the Prefect deployment `maintain-lake/maintain-local`, without Prefect.

    Example: lakehouse maintain --dry-run
    """
    settings = load_settings()

    def work(table: str) -> MaintenanceReport:
        with progress(f"Looking after {table}"):
            return maintain_table(settings, table, dry_run=dry_run)

    outcomes = one_by_one(maintained_tables(settings, tables or ["*"]), work)
    reports = succeeded(outcomes)
    if as_json:
        data.print_json(json.dumps([asdict(report) for report in reports]))
    else:
        _show(reports, dry_run=dry_run)
    require_all(outcomes, done="maintained")


def _show(reports: list[MaintenanceReport], *, dry_run: bool) -> None:
    shown = Table("table", "step", "taken away", "MB", "why", box=None, pad_edge=False)
    for report in reports:
        for step in report.steps:
            size = f"{step.size / 1e6:,.1f}" if step.size else ""
            shown.add_row(report.table, step.kind, f"{step.count:,}", size, step.reason)
    if shown.row_count:
        data.print(shown)
        if dry_run:
            talk.print("Nothing was changed. Leave --dry-run out to do it.")
    else:
        talk.print(f"{len(reports)} tables: nothing is worth it.")
