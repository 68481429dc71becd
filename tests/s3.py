"""S3 on this machine, for tests of lakes on object storage."""

import logging
from contextlib import contextmanager

import boto3
import pytest
from moto.server import ThreadedMotoServer

from deployments.stack.ports import pick_ports

BUCKET = "lake"


@contextmanager
def local_s3():
    """Serves S3 on a free port, with an empty bucket; the environment leads every client to it."""
    # Moto's own switch leaves a line per request.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", pick_ports(["s3"])["s3"], verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "testing")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        environment.setenv("AWS_REGION", "us-east-1")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield f"s3://{BUCKET}"
    server.stop()
