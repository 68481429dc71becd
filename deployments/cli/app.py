"""Assembles the command from one module per group of commands."""

from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from connectors.errors import LakehouseError
from deployments.cli import (
    backfill_commands,
    catalog_commands,
    demo_commands,
    deploy_commands,
    doctor_commands,
    drain_commands,
    generate_commands,
    iceberg_commands,
    lag_commands,
    load_commands,
    maintenance_commands,
    quarantine_commands,
    query_commands,
    reconcile_commands,
    repair_commands,
    retention_commands,
    source_commands,
    spark_commands,
    stack_commands,
)
from deployments.cli.console import data, print_error, unforeseen


class Commands(TyperGroup):
    """All commands; an error ends them with a message and a hint; the traceback of an unforeseen one goes to a file."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command that was asked for."""
        try:
            return super().invoke(ctx)
        except LakehouseError as error:
            print_error(error)
            raise typer.Exit(1) from None
        except (TyperException, typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:  # noqa: BLE001 - the last place where it can be told in words
            print_error(unforeseen(error))
            raise typer.Exit(1) from None


app = typer.Typer(
    name="lakehouse",
    help="Keep a Delta lakehouse in step with PostgreSQL.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    cls=Commands,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        data.print(f"lakehouse-flows {version('lakehouse-flows')}", highlight=False)
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Keep a Delta lakehouse in step with PostgreSQL."""


stack_commands.add_to(app)
doctor_commands.add_to(app)
demo_commands.add_to(app)
deploy_commands.add_to(app)
source_commands.add_to(app)
lag_commands.add_to(app)
drain_commands.add_to(app)
load_commands.add_to(app)
reconcile_commands.add_to(app)
repair_commands.add_to(app)
quarantine_commands.add_to(app)
backfill_commands.add_to(app)
maintenance_commands.add_to(app)
spark_commands.add_to(app)
catalog_commands.add_to(app)
iceberg_commands.add_to(app)
retention_commands.add_to(app)
query_commands.add_to(app)
generate_commands.add_to(app)
