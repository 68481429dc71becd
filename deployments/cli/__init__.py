"""The `lakehouse` command."""

from deployments.cli.app import app

__all__ = ["app"]
