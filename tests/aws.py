"""Stand-ins for AWS on this machine."""

import logging
import os
from contextlib import contextmanager

from moto.server import ThreadedMotoServer

from connectors.settings import AwsSettings
from deployments.stack.ports import pick_ports

ACCESS = {"access_key_id": "testing", "secret_access_key": "testing", "region": "us-east-1"}


VARIABLE = "LAKEHOUSE_TEST_AWS"
"""Address of a stand-in that runs already, LocalStack for instance."""


@contextmanager
def moto_server():
    """Serves AWS, as moto has it, on a free port; or what `VARIABLE` names."""
    if address := os.environ.get(VARIABLE):
        yield AwsSettings(endpoint_url=address, **ACCESS)
        return
    # Moto's own switch leaves a line per request.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", pick_ports(["aws"])["aws"], verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield AwsSettings(endpoint_url=f"http://{host}:{port}", **ACCESS)
    finally:
        server.stop()
