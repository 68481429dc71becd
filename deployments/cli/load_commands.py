"""`lakehouse load` and `lakehouse loads`: batch loads, and how their tables are."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from connectors.cdc.outcomes import one_by_one, require_all, succeeded
from connectors.errors import ReconciliationMismatch
from connectors.loads.reports import LoadReport
from connectors.loads.window import Window
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings, load_settings
from deployments.cli.console import data, progress, talk
from tasks.words import counted

PANEL = "Data"
SourceName = Annotated[str, typer.Argument(help="A source that loads.yaml declares.", metavar="SOURCE")]
Tables = Annotated[list[str] | None, typer.Argument(help="Its tables; by default all.", metavar="[TABLES]...")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_to(app: typer.Typer) -> None:
    """Adds the command, and the group."""
    app.command(rich_help_panel=PANEL)(load)
    loads = typer.Typer(no_args_is_help=True, help="Show loaded tables, and compare them with their sources.")
    for command in (status, compare):
        loads.command()(command)
    app.add_typer(loads, name="loads", rich_help_panel=PANEL)


def load(
    source: SourceName,
    tables: Tables = None,
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day behind the last.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Also load again what was loaded already.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be read.")] = False,
    as_json: AsJson = False,
) -> None:
    """Load what is new in the tables of a source, each row once.

    Idempotent: how far a source was read is in the same commit as its rows. Rows that can't be read go to quarantine.
    The same as the Prefect deployment `load-batch/...`, without Prefect.

    Example: lakehouse load shop_s3 clickstream --since 2026-01-01
    """
    # dlt takes a second to import; only these commands should wait for that.
    from connectors.loads.status import declared_tables  # noqa: PLC0415

    settings = load_settings()
    window = Window(since and since.date(), until and until.date(), again)
    chosen = declared_tables(settings, source, tables or ())
    if dry_run:
        _show_estimates(settings, chosen, window, as_json=as_json)
        return
    outcomes = one_by_one(chosen, lambda table: _load(settings, table, window))
    reports = succeeded(outcomes)
    if as_json:
        data.print_json(json.dumps([asdict(report) for report in reports]))
    else:
        _show_reports(reports)
    require_all(outcomes, done="loaded")


def status(
    source: Annotated[str | None, typer.Argument(help="A source; by default all.", metavar="[SOURCE]")] = None,
    as_json: AsJson = False,
) -> None:
    """Show rows, age and rejects of every declared table.

    Example: lakehouse loads status
    """
    from connectors.loads.status import read_status  # noqa: PLC0415 - as above

    found = read_status(load_settings(), source)
    if as_json:
        data.print_json(json.dumps([asdict(state) for state in found], default=str))
        return
    shown = Table("table", box=None, pad_edge=False)
    for name in ("rows", "rejected", "new rows came", "version"):
        shown.add_column(name, justify="right")
    for state in found:
        came = "never" if state.loaded_at is None else f"{state.loaded_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        version = "" if state.version is None else str(state.version)
        shown.add_row(f"{state.source}.{state.table}", f"{state.rows:,}", f"{state.rejected:,}", came, version)
    data.print(shown)


def compare(source: SourceName, tables: Tables = None, as_json: AsJson = False) -> None:
    """Read tables of a source again, and compare them with the lake, row by row.

    Example: lakehouse loads compare shop_s3
    """
    from connectors.loads.status import declared_tables  # noqa: PLC0415 - as above

    settings = load_settings()
    compare_tables(settings, declared_tables(settings, source, tables or ()), as_json=as_json)


def compare_tables(settings: Settings, tables: list[TableName], *, as_json: bool = False) -> None:
    """Compares tables and shows the result.

    Raises:
        ReconciliationMismatch: Some differ.
    """
    from connectors.loads.compare import compare_load  # noqa: PLC0415 - as above

    found = []
    for table in tables:
        with progress(f"Comparing {table} with its source"):
            found.append(compare_load(settings, table.schema, table.name))
    if as_json:
        data.print_json(json.dumps([asdict(comparison) for comparison in found]))
    else:
        shown = Table(box=None, pad_edge=False)
        shown.add_column("table", no_wrap=True)
        for name in ("source", "lake", "checksums", "rejected", "mismatches"):
            shown.add_column(name, justify="right", no_wrap=True)
        for c in found:
            sums = f"{c.source_checksum} {c.lake_checksum}"
            counts = f"{c.source_rows:,}", f"{c.lake_rows:,}", sums, f"{c.rejected:,}", f"{c.mismatches:,}"
            shown.add_row(c.table, *counts)
        data.print(shown)
    wrong = [f"{c.table}: {c.missing:,} rows missing, {c.extra:,} too many" for c in found if c.mismatches]
    if wrong:
        raise ReconciliationMismatch(
            "tables differ from their source\n" + "\n".join(wrong), hint="load them, and compare again"
        )


def _load(settings: Settings, table: TableName, window: Window) -> LoadReport:
    from connectors.loads.load import load_table  # noqa: PLC0415 - as above

    def say(label: str, size: int | None) -> None:
        talk.print(f"{table}: {label}{'' if size is None else f' ({size / 1e6:,.1f} MB)'}")

    with progress(f"Loading {table}"):
        return load_table(settings, table.schema, table.name, window=window, on_slice=say)


def _show_reports(reports: list[LoadReport]) -> None:
    shown = Table("table", box=None, pad_edge=False)
    for name in ("rows", "rejected", "commits", "MB read", "seconds"):
        shown.add_column(name, justify="right")
    for r in reports:
        size = f"{r.read_bytes / 1e6:,.1f}"
        shown.add_row(r.table, f"{r.rows:,}", f"{r.rejected:,}", str(r.commits), size, f"{r.seconds:.1f}")
    data.print(shown)
    for report in reports:
        if report.new_columns:
            talk.print(f"{report.table}: new columns {', '.join(report.new_columns)}")
        for note in report.notes:
            talk.print(f"{report.table}: {note}")


def _show_estimates(settings: Settings, tables: list[TableName], window: Window, *, as_json: bool) -> None:
    from connectors.loads.status import estimate_load  # noqa: PLC0415 - as above

    found = {table.name: estimate_load(settings, table.schema, table.name, window) for table in tables}
    if as_json:
        data.print_json(json.dumps({name: asdict(estimate) for name, estimate in found.items()}))
        return
    shown = Table("table", box=None, pad_edge=False)
    for name in ("objects", "about rows", "MB"):
        shown.add_column(name, justify="right")
    for name, estimate in found.items():
        rows = "" if estimate.rows is None else f"{estimate.rows:,}"
        size = "" if estimate.size is None else f"{estimate.size / 1e6:,.1f}"
        shown.add_row(name, f"{estimate.objects:,}", rows, size)
    data.print(shown)
    talk.print(f"Nothing was loaded of {counted(len(found), 'table')}.")
