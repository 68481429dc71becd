"""Commands of the source: check, register, status, remove."""

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
from connectors.postgres.checks import Finding
from connectors.postgres.lsn import format_lsn
from connectors.settings import load_settings
from deployments.cli.console import data, talk

PANEL = "Change data capture"
COLOURS = {"error": "bold red", "warning": "yellow"}

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands, as a group."""
    source = typer.Typer(
        no_args_is_help=True, help="Check, register, look at and remove the database that is captured."
    )
    for command in (check, register, status, forget, remove):
        source.command()(command)
    app.add_typer(source, name="source", rich_help_panel=PANEL)


def check(as_json: AsJson = False) -> None:
    """Say what keeps the database from being captured, with the SQL that cures it.

    Looks at the server, the user and every table that LAKEHOUSE_CDC__TABLES means, and changes nothing.
    Exits with 1 if there are errors; warnings do not block it.

    Example: lakehouse source check
    """
    findings = check_source(load_settings())
    if as_json:
        data.print_json(json.dumps([dataclasses.asdict(finding) for finding in findings]))
    else:
        _print_findings(findings, data)
        if not findings:
            talk.print("The source is ready.")
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


def register(
    timeout: Annotated[float, typer.Option(help="Seconds to wait until the connector runs.", min=1)] = START_SECONDS,
    as_json: AsJson = False,
) -> None:
    """Start capturing: make publication, slot and connector. Doing it twice is like doing it once.

    Checks first, and changes nothing if there are errors. Returns when the connector runs; it then
    reads all rows that are there, and every change after.

    Example: LAKEHOUSE_CDC__TABLES='public.*' lakehouse source register
    """
    found = register_source(load_settings(), timeout=timeout)
    if as_json:
        data.print_json(json.dumps(dataclasses.asdict(found) | {"tables": [str(table) for table in found.tables]}))
        return
    _print_findings(found.warnings, talk)
    for change in found.changed or ("nothing had to change",):
        talk.print(Text(change))
    talk.print(f"{found.connector} runs; it captures {len(found.tables)} tables, in epoch {found.epoch}.")


def status(as_json: AsJson = False) -> None:
    """Show how capturing goes: the connector, its snapshot, and the log that the slot keeps.

    Exits with 1 if the source is not being captured.

    Example: lakehouse source status --json
    """
    found = source_status(load_settings())
    if as_json:
        facts = {"captured": found.captured, "tables": [str(table) for table in found.tables]}
        data.print_json(json.dumps(dataclasses.asdict(found) | facts))
    else:
        data.print(_status_table(found))
    if not found.captured:
        raise typer.Exit(1)


def forget(
    tables: Annotated[list[str], typer.Argument(help="Tables, as schema.table patterns with * and ?.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete; without it, only say what would be.")] = False,
) -> None:
    """Delete the silver tables of what is captured no more. Their changes stay in bronze.

    To end capturing of a table, leave it out of LAKEHOUSE_CDC__TABLES (`*.*,!public.log`), and register.
    A table that is gone from the source is ended by registering, too.

    Example: lakehouse source forget public.log --yes
    """
    for table in forget_tables(load_settings(), tables, dry_run=not yes):
        talk.print(Text(f"{'deleted' if yes else 'would delete'} silver of {table}"))
    if not yes:
        talk.print("Nothing was changed. Add --yes to delete it.")


def remove(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove; without it, only say what would be.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stop capturing: remove connector, replication slot and publication. The lake and the topics stay.

    A later `register` reads all tables anew.

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
        console.print(Text(f"    cure: {finding.cure}"), soft_wrap=True)


def _status_table(found: SourceStatus) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in _status_rows(found).items():
        table.add_row(name, Text(value))
    return table


def _status_rows(found: SourceStatus) -> dict[str, str]:
    rows = {"connector": "not registered", "slot": "none", "tables": str(len(found.tables))}
    if found.connector is not None:
        rows["connector"] = f"{found.connector.state}, its task {', '.join(found.connector.tasks) or 'not there'}"
        rows["snapshot"] = "done" if found.snapshot_done else "not done"
        if found.connector.failure is not None:
            rows["failure"] = found.connector.failure
    if found.epoch is not None:
        rows["epoch"] = str(found.epoch)
    if found.slot is not None:
        confirmed = "nothing" if found.slot.confirmed_lsn is None else format_lsn(found.slot.confirmed_lsn)
        rows["slot"] = f"{'active' if found.slot.active else 'inactive'}, confirmed {confirmed}"
        rows["log kept"] = f"{(found.slot.retained_bytes or 0) / 2**20:.1f} MiB, {found.slot.wal_status}"
    return rows
