"""The same histories of a source as in the unit tests, by the thousand."""

from tests.unit.test_merge_model import *  # noqa: F403
