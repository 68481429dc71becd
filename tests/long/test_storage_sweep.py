"""The sweep of storage that fails, with many ways of each job: `python -m tests.crash.sweep` takes all of them."""

from tests.crash.sweep import main


def test_no_way_to_fail_leaves_anything_wrong():
    assert main(["--strikes", "60"]) == 0
