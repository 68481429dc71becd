"""`lakehouse catalog`: the lake's tables where other engines look for them."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from connectors.settings import load_settings
from deployments.cli.console import data, progress, talk

if TYPE_CHECKING:
    from connectors.lake.glue import CatalogChange

PANEL = "Upkeep"


def add_to(app: typer.Typer) -> None:
    """Adds the command, in a group."""
    group = typer.Typer(no_args_is_help=True, help="Register the lake's tables in the Glue Catalog.")
    group.command(name="sync")(sync)
    group.callback()(lambda: None)
    app.add_typer(group, name="catalog", rich_help_panel=PANEL)


def sync(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Bring the Glue Catalog in step with the lake: new tables, columns and comments.

    Athena, EMR and Trino read the tables from then on. Drains do the same where LAKEHOUSE_CATALOG__GLUE is set.
    Tables of other owners are never touched: one of the same name is refused, with exit code 1.

    Example: lakehouse catalog sync --dry-run
    """
    from connectors.lake.glue import sync_catalog  # noqa: PLC0415 - boto3 would slow every command down

    with progress("Comparing the Glue Catalog with the lake"):
        changes = sync_catalog(load_settings(), dry_run=dry_run)
    if as_json:
        data.print_json(json.dumps([asdict(change) for change in changes]))
    elif changes:
        _show(changes, dry_run=dry_run)
    else:
        talk.print("The Glue Catalog is in step with the lake.")
    if any(change.change == "refused" for change in changes):
        raise typer.Exit(1)


def _show(changes: "list[CatalogChange]", *, dry_run: bool) -> None:
    shown = Table("table", "change", "what is new", box=None, pad_edge=False)
    for change in changes:
        shown.add_row(change.table, change.change, change.why)
    data.print(shown)
    if dry_run:
        talk.print("Nothing was changed. Leave --dry-run out to do it.")
