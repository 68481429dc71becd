"""What holds for a lake in a folder holds on S3: the same tests, all of them."""

from tests.integration.test_merge_on_s3 import bucket, root
from tests.unit.test_merge import *  # noqa: F403

__all__ = ["bucket", "root"]
