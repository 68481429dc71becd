"""dbt logs as much as Prefect does."""

import pytest
from dbt_common.events.base_types import EventLevel
from prefect.settings import PREFECT_LOGGING_LEVEL, temporary_settings

from tasks.dbt import log_level


@pytest.mark.parametrize(
    ("prefect", "dbt"),
    [
        ("DEBUG", EventLevel.DEBUG),
        ("INFO", EventLevel.INFO),
        ("WARNING", EventLevel.WARN),
        ("ERROR", EventLevel.ERROR),
        ("CRITICAL", EventLevel.ERROR),
    ],
)
def test_every_level_of_prefect_is_one_of_dbt(prefect, dbt):
    with temporary_settings({PREFECT_LOGGING_LEVEL: prefect}):
        assert EventLevel(log_level()) is dbt
