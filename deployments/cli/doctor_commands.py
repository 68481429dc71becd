"""`lakehouse doctor`: what is wrong, first."""

import json
from dataclasses import asdict

import typer
from rich.text import Text

from connectors.errors import ConfigurationError
from connectors.settings import load_settings
from deployments.cli.console import data, talk
from deployments.cli.source_commands import COLOURS, AsJson

PANEL = "Local stack"


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel=PANEL)(doctor)


def doctor(as_json: AsJson = False) -> None:
    """Look at everything, and say what is wrong, worst first, each with its fix. It takes 5 s at the most.

    Settings, disk, memory, the local stack, the database, its slot and log, the connector, the stream, the lake, paused
    tables, quarantine, Prefect's server, workers, schedules and last runs. Exits with 1 if there are blockers.

    Example: lakehouse doctor
    """
    from deployments.doctor import Problem, examine  # noqa: PLC0415 - it needs all there is

    try:
        found = examine(load_settings())
    except ConfigurationError as error:
        found = [Problem("blocker", "settings", error.message, error.hint or "see docs/settings.md")]
    if as_json:
        data.print_json(json.dumps([asdict(problem) for problem in found]))
    else:
        for problem in found:
            severity = (f"{problem.severity}: ", COLOURS[problem.severity])
            data.print(Text.assemble(severity, f"{problem.area}: {problem.problem}"), soft_wrap=True)
            data.print(Text(f"    fix: {problem.fix}"), soft_wrap=True)
        if not found:
            talk.print("Nothing is wrong.")
    if any(problem.severity == "blocker" for problem in found):
        raise typer.Exit(1)
