"""`lakehouse sources` and `lakehouse source`: the databases that are captured."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from connectors.cdc.registration import START_SECONDS, register_source
from connectors.cdc.removal import forget_tables, remove_source
from connectors.cdc.source_status import SourceStatus, check_source, source_status
from connectors.lake.sources import registered_sources
from connectors.postgres.checks import Finding
from connectors.postgres.lsn import format_lsn
from connectors.settings import load_settings
from deployments.cli.console import data, progress, talk
from tasks.words import counted

PANEL = "Change data capture"
COLOURS = {"blocker": "bold red", "warning": "yellow", "note": "dim"}

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands, as a group."""
    source = typer.Typer(no_args_is_help=True, help="Check, register, inspect and remove the source database.")
    for command in (check, register, status, forget, remove):
        source.command()(command)
    app.add_typer(source, name="source", rich_help_panel=PANEL)
    app.command(rich_help_panel=PANEL)(sources)


def check(
    only_sql: Annotated[bool, typer.Option("--sql", help="Print only the SQL of the fixes, to be piped.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run the preflight check: blockers and warnings, each with the SQL that fixes it, and which tables are left out.

    Checks the server, the user and every table that LAKEHOUSE_CDC__TABLES selects, and changes nothing.
    Exits with 1 if there are blockers.

    Example: lakehouse source check --sql
    """
    findings = check_source(load_settings())
    if as_json:
        data.print_json(json.dumps([finding.as_facts() for finding in findings]))
    elif only_sql:
        for finding in findings:
            if finding.sql:
                # A value is to be chosen first.
                data.print(Text(f"-- {finding.sql}" if "..." in finding.sql else finding.sql))
    else:
        _print_findings(findings, data)
        blockers = sum(finding.severity == "blocker" for finding in findings)
        verdict = f"{counted(blockers, 'blocker')}: fix, and check again." if blockers else "The source is ready."
        talk.print(verdict)
    if any(finding.severity == "blocker" for finding in findings):
        raise typer.Exit(1)


def register(
    timeout: Annotated[float, typer.Option(help="Seconds to wait until the connector runs.", min=1)] = START_SECONDS,
    as_json: AsJson = False,
) -> None:
    """Start capture: create publication, slot and connector. Idempotent.

    Runs the preflight check first, and changes nothing if there are blockers. Returns when the connector
    runs; the connector then takes a snapshot of all rows and streams every later change.

    Example: LAKEHOUSE_CDC__TABLES='public.*' lakehouse source register
    """
    settings = load_settings()
    with progress(f"Registering {settings.cdc.source}"):
        found = register_source(settings, timeout=timeout)
    if as_json:
        data.print_json(json.dumps(dataclasses.asdict(found) | {"tables": [str(table) for table in found.tables]}))
        return
    _print_findings(found.warnings, talk)
    for change in found.changed or ("nothing had to change",):
        talk.print(Text(change))
    talk.print(
        f"{found.connector} runs; it captures {counted(len(found.tables), 'table')}, in slot epoch {found.epoch}."
    )


def status(as_json: AsJson = False) -> None:
    """Show the status of capture: the connector, its snapshot, the slot and its retained WAL.

    Exits with 1 if the source is not being captured.

    Example: lakehouse source status --json
    """
    found = source_status(load_settings())
    if as_json:
        facts = {"captured": found.captured, "tables": [str(table) for table in found.tables]}
        data.print_json(json.dumps(dataclasses.asdict(found) | facts))
    else:
        data.print(_status_table(found))
        if found.stopped is not None:
            talk.print(Text(found.stopped, "bold red"))
    if not found.captured:
        raise typer.Exit(1)


def sources(as_json: AsJson = False) -> None:
    """List all sources that are registered in the lake.

    Example: lakehouse sources
    """
    found = registered_sources(load_settings().lake.root)
    if as_json:
        rows = [dataclasses.asdict(source) | {"tables": list(map(str, source.tables))} for source in found]
        data.print_json(json.dumps(rows))
        return
    table = Table("source", "drained through LSN", box=None, pad_edge=False)
    for name in ("tables", "slot epoch", "batches"):
        table.add_column(name, justify="right")
    for source in found:
        through = "" if source.through_lsn == 0 else format_lsn(source.through_lsn)
        table.add_row(source.name, through, f"{len(source.tables)}", f"{source.epoch}", f"{source.batch:,}")
    data.print(table)
    if not found:
        talk.print("No source is registered in this lake. Run `lakehouse source register`.")


def forget(
    tables: Annotated[list[str], typer.Argument(help="Tables, as schema.table patterns with * and ?.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete; without it, only show what would be.")] = False,
) -> None:
    """Delete silver tables that are no longer captured. Their changes stay in bronze.

    To stop capturing a table, exclude it from LAKEHOUSE_CDC__TABLES (`*.*,!public.log`), and register.
    Registering also ends the capture of tables that were dropped at the source.

    Example: lakehouse source forget public.log --yes
    """
    for table in forget_tables(load_settings(), tables, dry_run=not yes):
        talk.print(Text(f"{'deleted' if yes else 'would delete'} silver of {table}"))
    if not yes:
        talk.print("Nothing was changed. Add --yes to delete it.")


def remove(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove; without it, only show what would be.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stop capture: remove connector, replication slot and publication. The lake and the topics stay.

    A later `register` takes a snapshot of all tables.

    Example: lakehouse source remove --yes
    """
    removed = remove_source(load_settings(), dry_run=not yes)
    if as_json:
        data.print_json(json.dumps({"removed": removed, "dry_run": not yes}))
        return
    for what in removed:
        talk.print(Text(f"{'removed' if yes else 'would remove'} {what}"))
    if not removed:
        talk.print("There is nothing to remove.")
    elif not yes:
        talk.print("Nothing was changed. Add --yes to remove it.")


def _print_findings(findings: Sequence[Finding], console: Console) -> None:
    for finding in findings:
        severity = (f"{finding.severity}: ", COLOURS[finding.severity])
        console.print(Text.assemble(severity, f"{finding.subject} {finding.problem}"), soft_wrap=True)
        console.print(Text(f"    fix: {finding.fix}"), soft_wrap=True)


def _status_table(found: SourceStatus) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in _status_rows(found).items():
        table.add_row(name, Text(value))
    return table


def _status_rows(found: SourceStatus) -> dict[str, str]:
    rows = {"connector": "not registered", "slot": "none", "tables": str(len(found.tables))}
    if found.connector is not None:
        rows["connector"] = f"{found.connector.state}, task {', '.join(found.connector.tasks) or 'missing'}"
        rows["snapshot"] = "done" if found.snapshot_done else "not done"
        if found.says:
            rows["capture"] = found.says
        if found.connector.failure is not None:
            rows["failure"] = found.connector.failure
    if found.epoch is not None:
        rows["slot epoch"] = str(found.epoch)
    if found.slot is not None:
        confirmed = "nothing" if found.slot.confirmed_lsn is None else format_lsn(found.slot.confirmed_lsn)
        rows["slot"] = f"{'active' if found.slot.active else 'inactive'}, confirmed {confirmed}"
        rows["retained WAL"] = f"{(found.slot.retained_bytes or 0) / 2**20:.1f} MiB, {found.slot.wal_status}"
    return rows
