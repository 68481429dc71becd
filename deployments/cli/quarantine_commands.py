"""`lakehouse quarantine`: rejected messages."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from connectors.cdc.contract_check import check_contracts
from connectors.cdc.outcomes import one_by_one, require_all, require_none_rejected, succeeded
from connectors.cdc.replay import (
    is_loaded,
    quarantined_messages,
    rejected_groups,
    rejected_tables,
    replay_table,
)
from connectors.cdc.reports import ReplayReport
from connectors.postgres.identifiers import TableName
from connectors.settings import load_settings
from deployments.cli.console import data, progress, talk

PANEL = "Repair"
_SHOWN = 200

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands, as a group."""
    quarantine = typer.Typer(no_args_is_help=True, help="List, show and replay rejected messages.")
    quarantine.command("list")(list_)
    for command in (show, replay):
        quarantine.command()(command)
    app.add_typer(quarantine, name="quarantine", rich_help_panel=PANEL)


def list_(as_json: AsJson = False) -> None:
    """Count rejected messages by table and reason.

    Example: lakehouse quarantine list
    """
    groups = rejected_groups(load_settings())
    if as_json:
        data.print_json(json.dumps([asdict(group) for group in groups], default=str))
        return
    if not groups:
        talk.print("Nothing is rejected.")
        return
    table = Table("table", "reason", box=None, pad_edge=False)
    for name in ("messages", "first", "last"):
        table.add_column(name, justify="right")
    for group in groups:
        times = (f"{moment:%Y-%m-%d %H:%M}" for moment in (group.first_at, group.last_at))
        table.add_row(group.table, group.reason, f"{group.messages:,}", *times)
    data.print(table)


def show(
    table: Annotated[str, typer.Argument(help="The table, as `schema.table`.")],
    limit: Annotated[int, typer.Option(min=1, help="Most messages to show, oldest first.")] = 10,
    every: Annotated[bool, typer.Option("--all", help="Also show messages that were settled since.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with complete values.")] = False,
) -> None:
    """Show rejected messages of a table: address, reason and content.

    Example: lakehouse quarantine show public.orders --limit 3
    """
    messages = quarantined_messages(load_settings(), TableName.parse(table), limit=limit, every=every)
    if as_json:
        data.print_json(json.dumps([asdict(message) for message in messages], default=_as_text))
        return
    if not messages:
        talk.print("Nothing is rejected.")
    for message in messages:
        for name, value in _lines(asdict(message)).items():
            data.print(f"{name:<10} {value}", markup=False)
        data.print()


def replay(
    tables: Annotated[list[str], typer.Argument(help="Tables, as `schema.table` with * and ?.", metavar="TABLE...")],
    as_json: AsJson = False,
) -> None:
    """Replay rejected messages with the current contract and release: after an upgrade, or after a resync.

    If a message can be read now, its table is rebuilt from bronze, so that the message counts in its place and
    later changes win. Of a loaded table, the objects that have rejected rows are read again.
    Exits with 1 if a message stays rejected.

    Example: lakehouse quarantine replay 'public.*'
    """
    settings = load_settings()

    def replay_shown(table: TableName) -> ReplayReport:
        with progress(f"Replaying {table}"):
            checked = None if is_loaded(settings, table) else check_contracts(settings)
            return replay_table(settings, table, checked=checked)

    outcomes = one_by_one(rejected_tables(settings, tables), replay_shown)
    reports = succeeded(outcomes)
    if as_json:
        data.print_json(json.dumps([asdict(report) | {"table": str(report.table)} for report in reports]))
    elif reports:
        _show_reports(reports)
    elif not outcomes:
        talk.print("Nothing is rejected.")
    require_none_rejected(require_all(outcomes, done="replayed"))


def _show_reports(reports: list[ReplayReport]) -> None:
    shown = Table("table", box=None, pad_edge=False)
    for name in ("replayed", "superseded", "rejected", "seconds"):
        shown.add_column(name, justify="right")
    for r in reports:
        shown.add_row(str(r.table), f"{r.replayed:,}", f"{r.superseded:,}", f"{r.rejected:,}", f"{r.seconds:.1f}")
    data.print(shown)


def _lines(message: Mapping[str, Any]) -> dict[str, str]:
    tried = "never" if message["tried_at"] is None else f"{message['tried_at']:%Y-%m-%d %H:%M}"
    rules = f", by contract {message['contract_version']} and release {message['release']}"
    return {
        "offset": f"{message['stream_offset']} of stream partition {message['stream_partition']}, "
        f"batch {message['batch']}",
        "outcome": message["outcome"],
        "reason": message["reason"],
        "rejected": f"{message['rejected_at']:%Y-%m-%d %H:%M}",
        "tried": tried if message["tried_at"] is None else tried + rules,
        "key": _short(message["key"]),
        "value": _short(message["value"]),
        "headers": _short(json.dumps(message["headers"], default=_as_text)),
    }


def _short(value: bytes | str | None) -> str:
    text = _as_text(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text):,} characters)"


def _as_text(value: Any) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
