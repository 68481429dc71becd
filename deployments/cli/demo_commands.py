"""`lakehouse demo`: the whole main job on this machine, verified at the end."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.table import Table

from connectors.cdc.drain import changes_since, drained_batch
from connectors.cdc.registration import register_source
from connectors.errors import LakehouseError, ServiceUnavailable
from connectors.postgres.connection import Connection, connect
from connectors.postgres.identifiers import TableName
from connectors.postgres.lsn import format_lsn
from connectors.postgres.replication import emit_marker
from connectors.quality.reconcile import reconcile_source, require_equal
from connectors.quality.reports import TableComparison
from connectors.settings import Settings, load_own_settings, load_settings
from connectors.synthetic import TrafficCounts, fill_shop, hard_cases
from connectors.synthetic.shop import is_filled
from deployments.cli.console import data, progress, talk
from deployments.cli.load_commands import compare_tables
from deployments.cli.stack_commands import start_stack
from deployments.stack.stack import LocalStack

DEPLOYMENT = "lakehouse/lakehouse-local"
RUN_SECONDS = 600
SOURCES = ["shop_dynamodb", "shop_s3"]
DAYS = 2


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Local stack")(demo)


def demo(
    orders: Annotated[int, typer.Option(min=1, help="Orders of the synthetic shop, if it is empty.")] = 50_000,
    each: Annotated[int, typer.Option(min=1, help="How often each hard case happens in the live traffic.")] = 50,
    seed: Annotated[int, typer.Option(help="The same seed makes the same shop and traffic.")] = 7,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the stack at the end.")] = False,
) -> None:
    """Run the whole path once, from a shop in PostgreSQL to marts, and compare silver with its source.

    Starts the stack, fills the shop in PostgreSQL, DynamoDB and S3, captures it, runs the deployment
    `lakehouse/lakehouse-local` through the worker, applies live traffic, runs it again, and compares every table with
    its source. Another run adds more traffic.

    Example: lakehouse demo
    """
    began = time.monotonic()
    own = load_own_settings()
    stack = LocalStack(own.home, own)
    start_stack(stack, with_aws=True)
    try:
        settings = load_settings()
        comparisons, applied = _main_job(settings, orders=orders, each=each, seed=seed)
        _show(comparisons, applied)
        require_equal(comparisons)
        loaded = _loaded_tables(settings)
        compare_tables(settings, loaded)
        tables, seconds = len(comparisons) + len(loaded), time.monotonic() - began
        talk.print(f"\n[green]✓[/] 0 mismatches: the lake equals its sources in {tables} tables, after {seconds:.0f} s")
        _say_what_next(load_settings(), stopped=stop)
    finally:
        if stop:
            stack.down()


def _main_job(
    settings: Settings, *, orders: int, each: int, seed: int
) -> tuple[list[TableComparison], dict[TableName, int]]:
    # boto3 takes half a second to import; only this command needs it.
    from connectors.synthetic.sources import SourceFiller  # noqa: PLC0415

    with connect(settings.postgres) as connection:
        connection.autocommit = True
        _fill(connection, orders=orders, seed=seed)
        beyond = SourceFiller(connection, settings.aws, days=DAYS, seed=seed)
        with _step(f"Filling DynamoDB and S3 for the last {DAYS} days"):
            beyond.fill()
        with _step("Capturing it with Debezium"):
            register_source(settings)
        _run_deployment(settings, connection, "Draining, merging and building the marts (run 1)")
        batch = drained_batch(settings)
        with _step("Applying live traffic"):
            # Later demos on the same shop continue with other random choices.
            counts = hard_cases(connection, seed=seed + batch, each=each)
            beyond.change()
        _show_traffic(counts)
        _run_deployment(settings, connection, "Draining, merging and building again (run 2)")
    with _step("Comparing silver with PostgreSQL"):
        return reconcile_source(settings), changes_since(settings, batch)


def _fill(connection: Connection, *, orders: int, seed: int) -> None:
    if is_filled(connection):
        talk.print("[green]✓[/] The shop is filled already")
        return
    with _step(f"Filling the shop with {orders:,} orders"):
        fill_shop(connection, orders=orders, seed=seed)


def _run_deployment(settings: Settings, connection: Connection, what: str) -> None:
    # Imported here: Prefect takes seconds, and only this command needs it.
    from prefect.client.schemas.objects import FlowRun  # noqa: PLC0415
    from prefect.deployments import run_deployment  # noqa: PLC0415
    from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415

    with _step(what), temporary_settings({PREFECT_API_URL: settings.prefect.api_url}):
        parameters = {"through_lsn": format_lsn(emit_marker(connection)), "load_sources": SOURCES}
        # Called outside any event loop, it returns the run itself.
        run = cast(FlowRun, run_deployment(DEPLOYMENT, parameters=parameters, timeout=RUN_SECONDS, poll_interval=1))
        state = run.state
    if state is None or not state.is_final():
        raise ServiceUnavailable(f"{DEPLOYMENT} did not finish in {RUN_SECONDS} s", hint="see `lakehouse logs worker`")
    if not state.is_completed():
        raise LakehouseError(f"{DEPLOYMENT} ended as {state.name}: {state.message}", hint="see `lakehouse logs worker`")


def _loaded_tables(settings: Settings) -> list[TableName]:
    from connectors.loads.status import declared_tables  # noqa: PLC0415 - start-up time: it imports dlt

    return [table for source in SOURCES for table in declared_tables(settings, source)]


def _show_traffic(counts: TrafficCounts) -> None:
    talk.print(str(counts), markup=False, highlight=False)


def _show(comparisons: list[TableComparison], applied: dict[TableName, int]) -> None:
    table = Table("table", box=None, pad_edge=False)
    for name in ("source rows", "silver rows", "changes applied", "mismatches"):
        table.add_column(name, justify="right")
    for c in comparisons:
        counts = c.source_rows, c.silver_rows, applied.get(c.table, 0), c.mismatches
        table.add_row(str(c.table), *(f"{n:,}" for n in counts))
    data.print(table)


def _say_what_next(settings: Settings, *, stopped: bool) -> None:
    command = Path(sys.argv[0])
    program = command.relative_to(Path.cwd()) if command.is_relative_to(Path.cwd()) else command
    talk.print(f"The lake:   {settings.lake.root}", soft_wrap=True)
    talk.print(f"Query it:   {program} query 'from marts.fct_daily_sales limit 5'", soft_wrap=True)
    if stopped:
        return
    address = (settings.prefect.api_url or "").removesuffix("/api")
    talk.print(f"Prefect UI: {address}")
    talk.print("Stop it:    make down")


@contextmanager
def _step(what: str) -> Iterator[None]:
    began = time.monotonic()
    with progress(what):
        yield
    talk.print(f"[green]✓[/] {what} ({time.monotonic() - began:.1f} s)")
