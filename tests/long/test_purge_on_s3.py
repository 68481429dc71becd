"""What holds for a lake in a folder holds on S3: the same tests, all of them."""

from tests.integration.test_purge_on_s3 import bucket, root
from tests.unit.test_purge import *  # noqa: F403

__all__ = ["bucket", "root"]
