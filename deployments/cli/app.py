"""Assembles the command from one module per group of commands."""

import typer

app = typer.Typer(
    name="lakehouse",
    help="Keep a Delta lakehouse in step with PostgreSQL.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
