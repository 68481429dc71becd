"""`lakehouse lag`: how far the lake is behind its source."""

import dataclasses
import json
from datetime import UTC, datetime

import typer
from rich.table import Table

from connectors.cdc.lag import Lag, measure_lag
from connectors.settings import load_settings
from deployments.cli.console import data, talk
from deployments.cli.source_commands import AsJson

PANEL = "Change data capture"


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel=PANEL)(lag)


def lag(as_json: AsJson = False) -> None:
    """Show how far the lake is behind its source: per table in the stream and in bronze, and in the database's log.

    undrained: messages that no drain has taken. unmerged: changes in bronze that readers of the lake's views see, and
    other readers after the next merge. newest change: how old the newest change is that readers see.

    Example: lakehouse lag
    """
    found = measure_lag(load_settings())
    now = datetime.now(UTC)
    if as_json:
        data.print_json(json.dumps(_facts(found, now)))
        return
    shown = Table("table", box=None, pad_edge=False)
    for name in ("undrained", "unmerged", "waiting", "newest change"):
        shown.add_column(name, justify="right")
    for table in found.tables:
        ages = (_age(now, table.waiting_since), _age(now, table.newest_change))
        shown.add_row(str(table.table), f"{table.undrained:,}", f"{table.unmerged:,}", *ages)
    data.print(shown)
    if not found.tables:
        talk.print("No table is captured. Run `lakehouse source register`.")
    talk.print(_source(found))


def _source(found: Lag) -> str:
    lag = found.source
    if lag.behind_bytes is None or lag.retained_bytes is None:
        return "The database keeps no log for this source: it has no replication slot, or the slot's log is gone."
    limit = "no limit" if lag.limit_bytes is None else f"limit {lag.limit_bytes / 2**20:,.0f} MiB"
    reads = "" if lag.reading else "; nobody reads it, see `lakehouse source status`"
    return (
        f"The database's log: {lag.behind_bytes / 2**20:,.1f} MiB are not in the stream, "
        f"{lag.retained_bytes / 2**20:,.1f} MiB are kept for it ({limit}){reads}."
    )


def _facts(found: Lag, now: datetime) -> dict[str, object]:
    tables = [
        {
            "table": str(table.table),
            "undrained": table.undrained,
            "unmerged": table.unmerged,
            "waiting_seconds": _seconds(now, table.waiting_since),
            "newest_change_seconds": _seconds(now, table.newest_change),
        }
        for table in found.tables
    ]
    return {**dataclasses.asdict(found.source), "tables": tables}


def _seconds(now: datetime, at: datetime | None) -> float | None:
    return None if at is None else max(0.0, (now - at).total_seconds())


def _age(now: datetime, at: datetime | None) -> str:
    seconds = _seconds(now, at)
    if seconds is None:
        return ""
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.0f} s"
