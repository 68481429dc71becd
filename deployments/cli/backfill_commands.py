"""`lakehouse backfill` and `lakehouse partitions`: run the partitions of a target, and show their status."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Annotated
from uuid import uuid4

import typer
from rich.table import Table

from connectors.backfill.entry import Entry
from connectors.backfill.grid import SIGNS, Grid, make_grid, shown_state
from connectors.backfill.parallel import run_all
from connectors.backfill.partitions import Size
from connectors.backfill.plan import open_backfill, open_ledger
from connectors.backfill.run import run_partition
from connectors.backfill.targets import open_target
from connectors.settings import load_settings
from deployments.cli.console import data, progress, talk
from tasks.words import counted

PANEL = "Repair"
_WIDEST = 250
_COLOURS = {"done": "green", "failed": "red", "running": "cyan", "interrupted": "yellow"}

TargetName = Annotated[
    str,
    typer.Argument(
        help="A dbt model partitioned by day, a table that is loaded by day (`shop_s3.clickstream`), or `silver`.",
        metavar="TARGET",
    ),
]
Since = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Start date.")]
Until = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="End date (exclusive); by default the last partition that has ended."),
]
CutInto = Annotated[Size, typer.Option("--size", help="Length of a partition.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (backfill, partitions):
        app.command(rich_help_panel=PANEL)(command)


def backfill(
    target: TargetName,
    since: Since = None,
    until: Until = None,
    size: CutInto = Size.DAY,
    parallel: Annotated[int, typer.Option(min=1, max=64, help="How many partitions at a time.")] = 2,
    force: Annotated[bool, typer.Option("--force", help="Also run partitions that are done.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show which partitions would run.")] = False,
) -> None:
    """Run the partitions of a range of a target, each exactly once.

    Runs only partitions that the ledger in the lake does not list as done: to continue after a failure or an
    interruption, run it again. Exits with 1 if a partition failed; the others are done.

    Example: lakehouse backfill fct_daily_sales --since 2026-01-01 --until 2026-03-01
    """
    settings = load_settings()
    days = {"since": since and since.date(), "until": until and until.date()}
    chosen = open_backfill(settings, target, **days, size=size)
    if dry_run:
        entries = chosen.entries()
        _print_grid(make_grid(entries, chosen.ledger.clock()))
        missing = chosen.missing(entries, force=force)
        talk.print(f"{len(missing)} of {counted(len(chosen.partitions), 'partition')} would run.")
        return
    missing = chosen.plan(force=force)
    try:
        with progress(f"Running {len(missing)} of {counted(len(chosen.partitions), 'partition')} of {target}"):
            work = partial(run_partition, chosen.ledger, chosen.target, run=str(uuid4()))
            run_all(missing, work, parallel=chosen.parallel(parallel), on_end=lambda: None)
    finally:
        _print_grid(make_grid(chosen.entries(), chosen.ledger.clock()))


def partitions(
    target: TargetName,
    since: Since = None,
    until: Until = None,
    size: CutInto = Size.DAY,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show partition status of a target; without a range, of all partitions that were ever planned.

    Example: lakehouse partitions fct_daily_sales --since 2026-01-01
    """
    settings = load_settings()
    open_target(settings, target)
    ledger = open_ledger(settings, target)
    entries: Mapping[str, Entry | None] = ledger.entries()
    if since is not None or until is not None:
        days = {"since": since and since.date(), "until": until and until.date()}
        entries = open_backfill(settings, target, **days, size=size).entries()
    if as_json:
        rows = [_as_json(key, entry, ledger.clock()) for key, entry in sorted(entries.items())]
        typer.echo(json.dumps(rows, default=str, ensure_ascii=False))
    else:
        _print_grid(make_grid(entries, ledger.clock()))


def _print_grid(grid: Grid) -> None:
    table = Table("", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in grid.columns:
        table.add_column("\n".join(column[-2:]), no_wrap=True)  # a month's days fit into 80 columns like this
    for name, states in grid.lines.items():
        table.add_row(name, *("" if state is None else _sign(state) for state in states))
    # Rich would leave out columns for which there is no room.
    data.print(table, width=max(data.width, _WIDEST), crop=False)
    data.print(", ".join(f"{_sign(state)} {count:,} {state}" for state, count in grid.counts.items()))
    for key, error in grid.failures.items():
        data.print(f"{key}: {error}", markup=False)


def _sign(state: str) -> str:
    colour = _COLOURS.get(state, "default")
    return f"[{colour}]{SIGNS[state]}[/]"


def _as_json(key: str, entry: Entry | None, now: datetime) -> dict[str, object]:
    facts = ("attempt", "start", "end", "run", "started_at", "ended_at", "rows", "error")
    shown = dict.fromkeys(facts) if entry is None else {fact: getattr(entry, fact) for fact in facts}
    return {"partition": key, "state": shown_state(entry, now), **shown}
