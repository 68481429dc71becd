"""`lakehouse iceberg`: the lake's tables for readers of Iceberg."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from connectors.cdc.outcomes import one_by_one, require_all, succeeded
from connectors.errors import TerminalError
from connectors.settings import Settings, load_settings
from deployments.cli.console import data, progress, talk

if TYPE_CHECKING:
    from connectors.lake.iceberg.compare import Count
    from connectors.lake.iceberg.mirror import MirrorReport

PANEL = "Upkeep"

Tables = Annotated[
    list[str], typer.Argument(help="As `public.orders` or `shop_s3.clickstream`, with * and ?.", metavar="TABLE...")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands, in a group."""
    group = typer.Typer(no_args_is_help=True, help="Show the lake's tables to readers of Iceberg.")
    group.command(name="mirror")(mirror_tables)
    group.command(name="migrate")(migrate_tables)
    group.command(name="compare")(compare_tables)
    app.add_typer(group, name="iceberg", rich_help_panel=PANEL)


def mirror_tables(tables: Tables, as_json: AsJson = False) -> None:
    """Bring Iceberg tables to the newest version of the lake's tables, without copying data.

    Delta stays the writer and the owner of the files. Run it again after each drain, or let drains do it
    (LAKEHOUSE_ICEBERG__TABLES). Counts and checksums of both are compared.

    Example: lakehouse iceberg mirror 'public.*'
    """
    from connectors.cdc.iceberg import mirror  # noqa: PLC0415 - dlt and SQLAlchemy would slow every command down

    _bring(mirror, tables, doing="Mirroring", done="mirrored", as_json=as_json)


def migrate_tables(
    tables: Tables,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Migrate; without it, only show what would be.")] = False,
    as_json: AsJson = False,
) -> None:
    """Hand tables over to Iceberg, without copying data: their files are Iceberg's from then on.

    For tables that the lake writes to no more. Vacuum deletes none of their files.

    Example: lakehouse iceberg migrate public.old_orders --yes
    """
    from connectors.cdc.iceberg import iceberg_tables, migrate  # noqa: PLC0415 - dlt and SQLAlchemy would slow every command down

    if yes:
        _bring(migrate, tables, doing="Migrating", done="migrated", as_json=as_json)
        return
    for table in iceberg_tables(load_settings(), tables):
        data.print(table)
    talk.print("Nothing was changed. Add --yes to migrate these tables.")


def compare_tables(tables: Tables, as_json: AsJson = False) -> None:
    """Compare Iceberg tables with the versions of the lake's tables that they mirror, by three readers.

    Exit code 1 if any differs.

    Example: lakehouse iceberg compare 'public.*'
    """
    from connectors.cdc.iceberg import compare, iceberg_tables  # noqa: PLC0415 - dlt and SQLAlchemy would slow every command down

    settings = load_settings()
    counts = {table: compare(settings, table) for table in iceberg_tables(settings, tables)}
    if as_json:
        data.print_json(json.dumps({table: [asdict(count) for count in found] for table, found in counts.items()}))
    else:
        _show_counts(counts)
    _require_equal(counts)


def _bring(
    work: "Callable[[Settings, str], MirrorReport]", tables: list[str], *, doing: str, done: str, as_json: bool
) -> None:
    from connectors.cdc.iceberg import compare, iceberg_tables  # noqa: PLC0415 - dlt and SQLAlchemy would slow every command down

    settings = load_settings()

    def one(table: str) -> "MirrorReport":
        with progress(f"{doing} {table}"):
            return work(settings, table)

    outcomes = one_by_one(iceberg_tables(settings, tables), one)
    reports = succeeded(outcomes)
    counts = {report.table: compare(settings, report.table) for report in reports}
    if as_json:
        found = [asdict(r) | {"readers": [asdict(count) for count in counts[r.table]]} for r in reports]
        data.print_json(json.dumps(found))
    elif reports:
        shown = Table("table", "Iceberg", "version", "files added", "removed", "owner", box=None, pad_edge=False)
        for r in reports:
            shown.add_row(r.table, r.iceberg, str(r.version), f"{r.added:,}", f"{r.removed:,}", r.owner)
        data.print(shown)
        _show_counts(counts)
    _require_equal(counts)
    require_all(outcomes, done=done)


def _show_counts(counts: "dict[str, list[Count]]") -> None:
    shown = Table("table", "reader", "rows", "checksum", box=None, pad_edge=False)
    for table, found in counts.items():
        for count in found:
            shown.add_row(table, count.reader, f"{count.rows:,}", count.checksum)
    data.print(shown)


def _require_equal(counts: "dict[str, list[Count]]") -> None:
    differing = [table for table, found in counts.items() if len({(c.rows, c.checksum) for c in found}) > 1]
    if differing:
        raise TerminalError(
            f"readers do not agree about {', '.join(differing)}", hint="run `lakehouse iceberg mirror` again"
        )
