"""What holds for a lake in a folder holds on S3: the same tests, of each kind of commit one."""

import uuid

import pytest

from tests.s3 import local_s3
from tests.unit.test_merge import (
    lake,
    new_lake,
    test_insert_update_delete_and_tombstone,
    test_merge_run_again_quarantines_nothing_twice,
    test_merge_without_effect_still_advances,
    test_same_events_again_change_nothing,
    test_table_without_key_keeps_every_image,
    test_two_writers_of_one_batch_leave_one,
)

__all__ = [
    "lake",
    "new_lake",
    "test_insert_update_delete_and_tombstone",
    "test_merge_run_again_quarantines_nothing_twice",
    "test_merge_without_effect_still_advances",
    "test_same_events_again_change_nothing",
    "test_table_without_key_keeps_every_image",
    "test_two_writers_of_one_batch_leave_one",
]


@pytest.fixture(scope="module")
def bucket():
    with local_s3() as address:
        yield address


@pytest.fixture
def root(bucket):
    return f"{bucket}/{uuid.uuid4().hex}"
