"""What holds of purges of a lake in a folder holds on S3: the same tests, those that commit the most."""

import uuid

import pytest

from tests.s3 import local_s3
from tests.unit.test_purge import (
    home,
    purged,
    source,
    test_of_a_purge_and_a_merge_one_looks_again,
    test_of_two_purges_at_once_one_looks_again,
    test_rebuild_from_a_snapshot_knows_of_the_purge,
    test_row_that_comes_again_after_the_purge_is_there,
)

__all__ = [
    "home",
    "purged",
    "source",
    "test_of_a_purge_and_a_merge_one_looks_again",
    "test_of_two_purges_at_once_one_looks_again",
    "test_rebuild_from_a_snapshot_knows_of_the_purge",
    "test_row_that_comes_again_after_the_purge_is_there",
]


@pytest.fixture(scope="module")
def bucket():
    with local_s3() as address:
        yield address


@pytest.fixture
def root(bucket):
    return f"{bucket}/{uuid.uuid4().hex}"
