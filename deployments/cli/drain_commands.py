"""`lakehouse drain`: from the stream to silver, once, without Prefect."""

import json
from dataclasses import asdict, replace
from typing import Annotated

import typer
from rich.table import Table

from connectors.cdc.contract_check import Change, ContractCheck
from connectors.cdc.drain import mark_source
from connectors.cdc.outcomes import succeeded
from connectors.cdc.reports import DrainReport, DriftReport, MergeReport
from connectors.cdc.sync import PLAIN, SyncReport, sync_source
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings, load_settings
from deployments.cli.console import data, progress, talk
from tasks.words import counted

PANEL = "Data"


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel=PANEL)(drain)


def drain(
    through_now: Annotated[
        bool,
        typer.Option("--through-now/--as-is", help="Wait for everything committed now, or take what has arrived."),
    ] = True,
    only_due: Annotated[
        bool,
        typer.Option("--due", help="Merge only tables of which much changed, or changes waited for long."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Drain new row changes into the lake: all to bronze, then table by table to silver.

    Idempotent: it resumes from the positions in the lake, also if two run at once.
    With --due the same as the Prefect deployment `drain-cdc/drain-local`, without Prefect.

    Example: lakehouse drain
    """
    settings = load_settings()
    report = drain_once(settings, through_now=through_now, only_due=only_due)
    merged = succeeded(report.outcomes)
    if as_json:
        merges = [{**asdict(m), "table": str(m.table)} for m in merged]
        resolved = [{**asdict(s), "table": str(s.table)} for s in report.resolved]
        followed = {str(table): list(map(str, found)) for table, found in report.checked.followed.items()}
        changed = {"followed": followed, "resolved": resolved, "dropped": list(map(str, report.checked.dropped))}
        waiting = {str(pending.table): pending.changes for pending in report.waiting}
        result = {"drain": asdict(report.drained), **changed, "merges": merges, "waiting": waiting}
        data.print_json(json.dumps(result))
    else:
        _show(report, merged)
    if report.outcomes:
        _show_to_others(settings)
    report.merged()


def _show_to_others(settings: Settings) -> None:
    """Brings catalogue and mirrors in step, where that is wanted."""
    if settings.catalog.glue:
        from connectors.lake.glue import register_tables  # noqa: PLC0415 - boto3 would slow every command down

        register_tables(settings)
    if settings.iceberg.tables:
        from connectors.cdc.iceberg import mirror_all  # noqa: PLC0415 - likewise, dlt and SQLAlchemy

        mirror_all(settings)


def drain_once(settings: Settings, *, through_now: bool, only_due: bool = False) -> SyncReport:
    """Drains and merges; a table that is not merged does not stop the others."""
    lsn = mark_source(settings) if through_now else None

    def drain(settings: Settings, *, through_lsn: int | None) -> DrainReport:
        with progress("Draining the stream into bronze"):
            return PLAIN.drain(settings, through_lsn=through_lsn)

    def resolve(settings: Settings, table: TableName, change: Change) -> DriftReport:
        with progress(f"Comparing {table} with its source: {change}"):
            return PLAIN.resolve(settings, table, change)

    def merge(settings: Settings, table: TableName, *, checked: ContractCheck) -> MergeReport:
        with progress(f"Merging {table} into silver"):
            return PLAIN.merge(settings, table, checked=checked)

    steps = replace(PLAIN, drain=drain, resolve=resolve, merge=merge)
    return sync_source(settings, through_lsn=lsn, only_due=only_due, steps=steps)


def _show(report: SyncReport, merged: list[MergeReport]) -> None:
    drained, checked = report.drained, report.checked
    batches = counted(drained.batches, "micro-batch")
    talk.print(f"{counted(drained.messages, 'message')} to bronze in {batches}, {drained.seconds:.1f} s")
    for table, differences in checked.followed.items():
        talk.print(f"{table}: {'; '.join(map(str, differences))}")
    for table in checked.dropped:
        talk.print(f"{table}: dropped at the source; `lakehouse source register` ends its capture")
    for found in report.resolved:
        talk.print(f"{found.table}: {found.outcome} ({found.rows:,} rows, {found.seconds:.1f} s): {found.why}")
    if report.waiting:
        changes = counted(sum(pending.changes for pending in report.waiting), "change")
        talk.print(f"{changes} in {counted(len(report.waiting), 'table')} wait for a merge; readers see them")
    if not merged:
        return
    shown = Table("table", "changes", "rejected", "batch", "seconds", box=None, pad_edge=False)
    for merge in merged:
        counts = f"{merge.changes:,}", f"{merge.rejected:,}", str(merge.batch), f"{merge.seconds:.1f}"
        shown.add_row(str(merge.table), *counts)
    data.print(shown)
