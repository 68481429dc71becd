"""What holds of trims of a lake in a folder holds on S3: the same tests, those that commit the most."""

import uuid

import pytest

from tests.s3 import local_s3
from tests.unit.test_retention import (
    source,
    test_positions_and_numbers_outlive_trim_and_vacuum,
    test_trimming_killed_before_bronze_was_touched_is_run_again,
    trimmed,
)

__all__ = [
    "source",
    "test_positions_and_numbers_outlive_trim_and_vacuum",
    "test_trimming_killed_before_bronze_was_touched_is_run_again",
    "trimmed",
]


@pytest.fixture(scope="module")
def bucket():
    with local_s3() as address:
        yield address


@pytest.fixture
def root(bucket):
    return f"{bucket}/{uuid.uuid4().hex}"
