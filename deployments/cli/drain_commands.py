"""`lakehouse drain`: from the stream to silver, once, without Prefect."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from connectors.drain import drain_source
from connectors.errors import TerminalError
from connectors.evolution import check_contracts
from connectors.merge import merge_table, pending_tables
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import emit_marker
from connectors.reports import DrainReport, MergeReport
from connectors.settings import Settings, load_settings
from deployments.cli.console import data, talk

PANEL = "Data"


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel=PANEL)(drain)


def drain(
    through_now: Annotated[
        bool,
        typer.Option("--through-now/--as-is", help="Wait for all that is committed now, or take what has arrived."),
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Bring new row changes into the lake: all to bronze, then table by table to silver.

    Run it as often as you like, also twice at once: it goes on from what is in the lake.
    The same as the Prefect deployment `drain-cdc/local`, without Prefect.

    Example: lakehouse drain
    """
    settings = load_settings()
    drained, merged, failed = drain_once(settings, through_now=through_now)
    if as_json:
        merges = [{**asdict(m), "table": str(m.table)} for m in merged]
        data.print_json(json.dumps({"drain": asdict(drained), "merges": merges}))
    else:
        _show(drained, merged)
    if failed:
        reasons = "\n".join(f"{table}: {error}" for table, error in failed.items())
        raise TerminalError(f"{len(failed)} tables were not merged; the others were\n{reasons}")


def drain_once(
    settings: Settings, *, through_now: bool
) -> tuple[DrainReport, list[MergeReport], dict[TableName, TerminalError]]:
    """Drains and merges; a table that is held does not stop the others."""
    lsn = None
    if through_now:
        with connect(settings.postgres) as connection:
            lsn = emit_marker(connection)
    with talk.status("Draining the stream into bronze"):
        drained = drain_source(settings, through_lsn=lsn)
    checked = check_contracts(settings)
    merged, failed = [], {}
    for table in pending_tables(settings):
        with talk.status(f"Merging {table} into silver"):
            try:
                merged.append(merge_table(settings, table, checked=checked))
            except TerminalError as error:
                failed[table] = error
    return drained, merged, failed


def _show(drained: DrainReport, merged: list[MergeReport]) -> None:
    talk.print(f"{drained.messages:,} messages to bronze in {drained.batches} batches, {drained.seconds:.1f} s")
    if not merged:
        return
    table = Table("table", "changes", "rejected", "batch", "seconds", box=None, pad_edge=False)
    for report in merged:
        counts = f"{report.changes:,}", f"{report.rejected:,}", str(report.batch), f"{report.seconds:.1f}"
        table.add_row(str(report.table), *counts)
    data.print(table)
