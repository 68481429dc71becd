"""`lakehouse generate`: the synthetic shop and its traffic."""

import json
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from connectors.errors import ConfigurationError
from connectors.postgres.connection import connect
from connectors.settings import load_settings
from connectors.synthetic import (
    apply_traffic,
    count_rows,
    drop_shop,
    fill_shop,
    hard_cases,
)
from deployments.cli.console import data, progress, talk

PANEL = "Example shop"
Seed = Annotated[int, typer.Option(help="The same seed makes the same data.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands, as a group."""
    generate = typer.Typer(
        no_args_is_help=True, help="Fill the database with a synthetic web shop, and generate traffic."
    )
    for command in (shop, traffic, sources):
        generate.command()(command)
    app.add_typer(generate, name="generate", rich_help_panel=PANEL)
    app.command(rich_help_panel=PANEL)(api)


def shop(
    orders: Annotated[int, typer.Option(min=1, help="Number of orders; everything else scales with it.")] = 50_000,
    seed: Seed = 7,
    reset: Annotated[bool, typer.Option("--reset", help="First drop the shop with all its data.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Drop without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create the shop's ten tables and fill them.

    Fails if the shop has data already, and changes nothing.

    Example: lakehouse generate shop --orders 50000 --seed 7
    """
    with connect(load_settings().postgres) as conn:
        if reset:
            there = sum(drop_shop(conn).values())
            if there and not yes:
                typer.confirm(f"Drop the shop with its {there:,} rows?", abort=True, err=True)
            drop_shop(conn, dry_run=False)
        with _progress() as bar:
            task = bar.add_task("orders", total=orders)
            fill_shop(conn, orders=orders, seed=seed, progress=lambda loaded: bar.update(task, completed=loaded))
        rows = count_rows(conn)
    if as_json:
        data.print_json(json.dumps(rows))
        return
    for table, number in rows.items():
        data.print(f"{table:<14}{number:>12,}")


def traffic(
    transactions: Annotated[int | None, typer.Option(min=1, help="Stop after so many transactions.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop after so many seconds.")] = None,
    rate: Annotated[float | None, typer.Option(min=0.01, help="Transactions per second; unset: no limit.")] = None,
    each: Annotated[
        int, typer.Option("--hard-cases", min=0, help="First, repeat every case that is hard to capture so often.")
    ] = 0,
    seed: Seed = 7,
    as_json: AsJson = False,
) -> None:
    """Generate traffic of customers and staff, until Ctrl-C or the given limit.

    Prints rows inserted, updated and deleted by table, and how often each case occurred that is hard to capture
    (an unchanged TOAST value, a changed key, delete and re-insert, rollback, repeated updates).

    Example: lakehouse generate traffic --rate 20 --seconds 60
    """
    with connect(load_settings().postgres) as conn:
        done = hard_cases(conn, seed=seed, each=each) if each else None
        if done is None or transactions is not None or seconds is not None:
            with _interrupted_or_after(seconds) as stop:
                usual = apply_traffic(conn, seed=seed, transactions=transactions, rate=rate, stop=stop)
            done = usual if done is None else done + usual
    if as_json:
        data.print_json(json.dumps(done.as_dict()))
    else:
        data.print(str(done))


def sources(
    days: Annotated[int, typer.Option(min=1, help="So many days, up to the newest order.")] = 7,
    changes: Annotated[
        bool,
        typer.Option("--changes", help="Change what is there: late and corrected files, changed and expired items."),
    ] = False,
    seed: Seed = 7,
    as_json: AsJson = False,
) -> None:
    """Fill DynamoDB and S3 with what belongs to the shop: sessions, carts, clicks, parcels and price lists.

    It fits the orders, customers and products that the shop has. Written again, it is the same.

    Example: lakehouse generate sources --days 30
    """
    # boto3 takes half a second to import; only this command needs it.
    from connectors.synthetic.sources import SourceFiller  # noqa: PLC0415

    settings = load_settings()
    with connect(settings.postgres) as conn:
        filler = SourceFiller(conn, settings.aws, days=days, seed=seed)
        with progress("Writing to DynamoDB and S3"):
            counts = filler.change() if changes else filler.fill()
    if as_json:
        data.print_json(json.dumps(counts))
        return
    for what, number in counts.items():
        data.print(f"{what:<18}{number:>10,}")


def api(
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than this machine need a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: a free one.")] = 8000,
) -> None:
    """Serve the synthetic shop over HTTP: generate rows of every kind, start and stop traffic.

    The page of the API, with examples, is at /docs. On another address than this machine's, LAKEHOUSE_API__TOKEN is
    needed, and callers send it as `Authorization: Bearer ...`.

    Example: lakehouse api --port 8000
    """
    # They take a second to import; only this command needs them.
    import uvicorn  # noqa: PLC0415

    from connectors.synthetic.api import allowed_hosts, make_app  # noqa: PLC0415

    settings = load_settings()
    application = make_app(settings, hosts=allowed_hosts(settings, host))
    server = uvicorn.Server(uvicorn.Config(application, host=host, port=port, log_level="warning"))
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen()  # whoever reads the next line may connect at once, and waits for the server
        except OSError as error:
            raise ConfigurationError(f"can't listen on {host}:{port}: {error}", hint="choose another --port") from error
        talk.print(f"Listening on http://{host}:{listening.getsockname()[1]}, its page is /docs. Ctrl-C stops it.")
        server.run(sockets=[listening])


@contextmanager
def _interrupted_or_after(seconds: float | None) -> Iterator[threading.Event]:
    """An event that Ctrl-C sets, or the time, so that the open transaction ends well and the counts are shown."""
    stop = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: stop.set())
    timer = threading.Timer(seconds, stop.set) if seconds is not None else None
    if timer is None:
        talk.print("Ctrl-C stops the traffic.")
    else:
        timer.start()
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
        if timer is not None:
            timer.cancel()


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=talk
    )
