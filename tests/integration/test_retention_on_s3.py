"""What holds of trims of a lake in a folder holds on S3: the same tests."""

import uuid

import pytest

from tests.s3 import local_s3
from tests.unit.test_retention import *  # noqa: F403


@pytest.fixture(scope="module")
def bucket():
    with local_s3() as address:
        yield address


@pytest.fixture
def root(bucket):
    return f"{bucket}/{uuid.uuid4().hex}"
