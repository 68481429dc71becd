"""`lakehouse bronze trim` and `lakehouse silver purge`: the lake kept small."""

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated, TypeVar

import typer
from rich.table import Table

from connectors.cdc.retention import PurgeReport, TrimReport, purge_silver, trim_bronze
from connectors.lake.contract_log import captured_tables
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings, load_settings
from deployments.cli.console import data, progress, talk

PANEL = "Upkeep"

Report = TypeVar("Report", PurgeReport, TrimReport)
Tables = Annotated[list[str], typer.Argument(help="Tables, as `schema.table` with * and ?.", metavar="TABLE...")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands, in two groups."""
    for name, command, about in (
        ("bronze", trim, "Keep the change log small."),
        ("silver", purge, "Keep silver small."),
    ):
        group = typer.Typer(no_args_is_help=True, help=about)
        group.command()(command)
        app.add_typer(group, name=name, rich_help_panel=PANEL)


def trim(
    tables: Tables,
    keep_days: Annotated[int, typer.Option(min=1, help="Keep messages of the last so many days, and of today.")] = 90,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Trim; without it, only show what would be trimmed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Delete old messages from bronze, after silver was copied: rebuilds start from that copy.

    Deletes whole days, up to the first one with a message that silver has not merged or that is in quarantine.
    `lakehouse maintain` frees the disk space, a day later: until then, running readers may still need the files.

    Example: lakehouse bronze trim 'public.*' --keep-days 90 --yes
    """
    settings, before = load_settings(), dt.datetime.now(dt.UTC).date() - dt.timedelta(days=keep_days)

    def work(table: TableName) -> TrimReport:
        return trim_bronze(settings, table, before=before, dry_run=not yes)

    reports = _run(work, settings, tables, doing="Trimming")
    rows = [(f"{r.messages:,}", f"{r.size / 2**20:,.1f}", f"{r.before}") for r in reports]
    _show(reports, rows, columns=("messages", "MiB", "received before"), as_json=as_json)
    if not as_json and not yes:
        talk.print("Nothing was changed. Add --yes to trim.")


def purge(
    tables: Tables,
    keep_days: Annotated[int, typer.Option(min=1, help="Keep rows deleted in the last so many days.")] = 90,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Purge; without it, only show what would be.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete soft-deleted rows from silver, once no older change of them can arrive.

    Readers never see soft-deleted rows. A late change of a purged row is recognised as late, and ignored.

    Example: lakehouse silver purge 'public.*' --keep-days 90 --yes
    """
    settings, before = load_settings(), dt.datetime.now(dt.UTC) - dt.timedelta(days=keep_days)

    def work(table: TableName) -> PurgeReport:
        return purge_silver(settings, table, before=before, dry_run=not yes)

    reports = _run(work, settings, tables, doing="Purging")
    rows = [(f"{r.deleted:,}", f"{r.purged:,}", f"{r.younger:,}") for r in reports]
    _show(reports, rows, columns=("deleted rows", "purged", "younger"), as_json=as_json)
    if not as_json and not yes:
        talk.print("Nothing was changed. Add --yes to purge.")


def _run(work: Callable[[TableName], Report], settings: Settings, patterns: list[str], *, doing: str) -> list[Report]:
    reports = []
    for table in captured_tables(settings, patterns):
        with progress(f"{doing} {table}"):
            reports.append(work(table))
    return reports


def _show(reports: Sequence[Report], rows: Sequence[tuple[str, ...]], *, columns: Sequence[str], as_json: bool) -> None:
    if as_json:
        data.print_json(json.dumps([asdict(r) | {"table": str(r.table)} for r in reports], default=str))
        return
    shown = Table("table", box=None, pad_edge=False)
    for name in columns:
        shown.add_column(name, justify="right")
    shown.add_column("why the rest stays")
    for report, row in zip(reports, rows, strict=True):
        shown.add_row(str(report.table), *row, report.kept)
    data.print(shown)
