"""`python -m deployments.cli`: the command, where it is not on the path."""

from deployments.cli.app import app

app()
