"""A stand-in for S3 and DynamoDB: moto's server."""

import sys
from collections.abc import Sequence
from pathlib import Path

from deployments.stack.ports import HOST, answers
from deployments.stack.service import Service

# Moto has no option that leaves out a line per request.
_PROGRAM = """
import logging, sys
from moto.server import main
logging.getLogger("werkzeug").setLevel(logging.ERROR)
main(sys.argv[1:])
"""
REGION, ACCESS_KEY = "us-east-1", "local"


class AwsService(Service):
    """Moto's server. It keeps everything in memory: what was in it is gone when it stops.

    Args:
        folder: Where its log lies.
        port: Port to listen on.
    """

    name = "aws"

    def __init__(self, folder: Path, *, port: int) -> None:
        super().__init__(folder)
        self.port = port

    @property
    def address(self) -> str:
        """What clients take for AWS."""
        return f"http://{HOST}:{self.port}"

    def command(self) -> Sequence[str | Path]:
        """The server in the foreground."""
        return [sys.executable, "-c", _PROGRAM, "-H", HOST, "-p", str(self.port)]

    def is_ready(self) -> bool:
        """Whether it answers."""
        return answers(self.port, "/moto-api/data.json")
