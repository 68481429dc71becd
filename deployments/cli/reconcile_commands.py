"""`lakehouse reconcile`: compares silver with its source."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from connectors.cdc.drain import drained_batch
from connectors.cdc.outcomes import failures
from connectors.cdc.reconciliation import require_equal
from connectors.cdc.sync import Outcomes
from connectors.quality.reconcile import reconcile_source
from connectors.quality.reports import TableComparison
from connectors.settings import load_settings
from deployments.cli.console import data, progress, talk
from deployments.cli.drain_commands import drain_once

PANEL = "Data"


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel=PANEL)(reconcile)


def reconcile(
    table: Annotated[
        list[str] | None, typer.Option("--table", "-t", help="Compare only these tables: schema.table, with * and ?.")
    ] = None,
    drain: Annotated[
        bool, typer.Option("--drain/--no-drain", help="First drain everything committed now, or compare as it is.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare silver tables with their source tables by checksums of all rows.

    PostgreSQL and DuckDB compute the checksums; only rows that differ are fetched, to name their keys.
    Exits with 1 if anything differs, or a table could not be merged.

    The command first writes a marker to the source's log, then drains and merges through it, so that silver has
    everything committed before. Rows written to the source after that are reported as differences: for a clean
    result, stop the traffic.

    Example: lakehouse reconcile --table 'public.order*'
    """
    settings = load_settings()
    outcomes: Outcomes = drain_once(settings, through_now=True).outcomes if drain else {}
    batch = drained_batch(settings)
    with progress("Comparing source and silver"):
        comparisons = reconcile_source(settings, tuple(table) if table else ("*.*",))
    if as_json:
        data.print_json(json.dumps([asdict(found) | {"table": str(found.table)} for found in comparisons]))
    else:
        show_comparisons(comparisons)
    for name, error in failures(outcomes).items():
        talk.print(f"{name} was not merged: {error}", markup=False)
    require_equal(settings, comparisons, batch=batch if drain else None)
    if failures(outcomes):
        raise typer.Exit(1)


def show_comparisons(comparisons: Iterable[TableComparison]) -> None:
    """Prints a line per table."""
    table = Table("table", box=None, pad_edge=False)
    for name in ("source rows", "silver rows", "mismatches"):
        table.add_column(name, justify="right")
    for found in comparisons:
        colour = "red" if found.mismatches else "green"
        rows = f"{found.source_rows:,}", f"{found.silver_rows:,}"
        table.add_row(str(found.table), *rows, f"[{colour}]{found.mismatches:,}")
    data.print(table)
