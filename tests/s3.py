"""S3 on this machine, for tests of lakes on object storage."""

from contextlib import contextmanager

import boto3
import pytest

from deployments.stack.aws import ACCESS_KEY, REGION, AwsService
from deployments.stack.ports import pick_ports
from tests.aws import ACCESS, moto_server

BUCKET = "lake"


@contextmanager
def local_s3():
    """Serves S3 on a free port, with an empty bucket; the environment leads every client to it."""
    with moto_server() as aws, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", aws.endpoint_url)
        environment.setenv("AWS_ACCESS_KEY_ID", ACCESS["access_key_id"])
        environment.setenv("AWS_SECRET_ACCESS_KEY", ACCESS["secret_access_key"])
        environment.setenv("AWS_REGION", ACCESS["region"])
        environment.setenv("AWS_DEFAULT_REGION", ACCESS["region"])
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield f"s3://{BUCKET}"


@contextmanager
def s3_of_its_own(folder):
    """S3 in another process: while delta-rs sets a property, no thread of this one could answer it."""
    service = AwsService(folder / "aws", port=pick_ports(["aws"])["aws"])
    service.start()
    try:
        service.wait_ready()
        with pytest.MonkeyPatch.context() as environment:
            for name, value in {"AWS_ENDPOINT_URL": service.address, "AWS_REGION": REGION}.items():
                environment.setenv(name, value)
            environment.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            environment.setenv("AWS_SECRET_ACCESS_KEY", ACCESS_KEY)
            environment.delenv("AWS_DEFAULT_REGION", raising=False)
            yield
    finally:
        service.stop()
