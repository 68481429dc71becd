"""`lakehouse bronze`: upkeep of the change log."""

import datetime as dt
import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from connectors.cdc.retention import trim_bronze, vacuum_bronze
from connectors.lake.contract_log import captured_tables
from connectors.settings import load_settings
from deployments.cli.console import data, talk

PANEL = "Upkeep"


def add_to(app: typer.Typer) -> None:
    """Adds the commands, as a group."""
    bronze = typer.Typer(no_args_is_help=True, help="Keep the change log small.")
    bronze.command()(trim)
    app.add_typer(bronze, name="bronze", rich_help_panel=PANEL)


def trim(
    tables: Annotated[list[str], typer.Argument(help="Tables, as `schema.table` with * and ?.", metavar="TABLE...")],
    keep_days: Annotated[int, typer.Option(min=1, help="Keep what was received in so many days, and today.")] = 90,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Trim; without it, only say what would be.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Take old messages out of bronze, once silver is recorded as a snapshot with which a rebuild begins.

    Whole days go, up to the first one that holds something silver has not merged. Rejected messages keep them.
    The disk is freed by the first run a week later: until then, whoever has opened bronze can go on to read.

    Example: lakehouse bronze trim 'public.*' --keep-days 90 --yes
    """
    settings = load_settings()
    before = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=keep_days)
    reports = []
    for table in captured_tables(settings, tables):
        with talk.status(f"Trimming {table}"):
            reports.append(trim_bronze(settings, table, before=before, dry_run=not yes))
    freed = vacuum_bronze(settings) if yes else 0
    if as_json:
        data.print_json(json.dumps([asdict(r) | {"table": str(r.table)} for r in reports], default=str))
        return
    shown = Table("table", box=None, pad_edge=False)
    for name in ("messages", "MiB", "received before"):
        shown.add_column(name, justify="right")
    shown.add_column("the rest stays, because")
    for r in reports:
        shown.add_row(str(r.table), f"{r.messages:,}", f"{r.size / 2**20:,.1f}", f"{r.before}", r.kept)
    data.print(shown)
    talk.print(f"{freed:,} files were deleted." if yes else "Nothing was changed. Add --yes to trim.")
