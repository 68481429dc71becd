"""`lakehouse silver`: upkeep of the current rows."""

import datetime as dt
import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from connectors.cdc.retention import purge_silver
from connectors.lake.contract_log import captured_tables
from connectors.settings import load_settings
from deployments.cli.console import data, talk

PANEL = "Upkeep"


def add_to(app: typer.Typer) -> None:
    """Adds the commands, as a group."""
    silver = typer.Typer(no_args_is_help=True, help="Keep silver small.")
    silver.command()(purge)
    app.add_typer(silver, name="silver", rich_help_panel=PANEL)


def purge(
    tables: Annotated[list[str], typer.Argument(help="Tables, as `schema.table` with * and ?.", metavar="TABLE...")],
    keep_days: Annotated[int, typer.Option(min=1, help="Keep what was deleted in so many days.")] = 90,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Purge; without it, only say what would be.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Remove rows from silver that were deleted at the source long ago, once nothing older can come after them.

    Readers never see deleted rows. What still comes late of a purged row is known to be late, and left out.

    Example: lakehouse silver purge 'public.*' --keep-days 90 --yes
    """
    settings = load_settings()
    before = dt.datetime.now(dt.UTC) - dt.timedelta(days=keep_days)
    reports = []
    for table in captured_tables(settings, tables):
        with talk.status(f"Purging {table}"):
            reports.append(purge_silver(settings, table, before=before, dry_run=not yes))
    if as_json:
        data.print_json(json.dumps([asdict(r) | {"table": str(r.table)} for r in reports]))
        return
    shown = Table("table", box=None, pad_edge=False)
    for name in ("deleted rows", "purged", "younger"):
        shown.add_column(name, justify="right")
    shown.add_column("the rest stays, because")
    for r in reports:
        shown.add_row(str(r.table), f"{r.deleted:,}", f"{r.purged:,}", f"{r.younger:,}", r.kept)
    data.print(shown)
    if not yes:
        talk.print("Nothing was changed. Add --yes to purge.")
