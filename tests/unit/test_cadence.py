"""When pending changes are worth a merge."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.cdc.cadence import PendingTable
from connectors.postgres.identifiers import TableName
from connectors.settings import CdcSettings

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
ORDERS = TableName("public", "orders")


@pytest.mark.parametrize(
    ("changes", "rows", "seconds", "due"),
    [
        (50, 3_000_000, 60, False),
        (50, 3_000_000, 1_799, False),
        (50, 3_000_000, 1_800, True),
        (300_000, 3_000_000, 60, True),
        (299_999, 3_000_000, 60, False),
        # Of a small table, a tenth is next to nothing.
        (10, 20, 60, False),
        (1_000, 20, 60, True),
        # Of a huge one, a tenth is more than one merge folds, and than readers should.
        (1_000_000, 100_000_000, 60, True),
    ],
)
def test_changes_wait_until_they_are_many_or_old(changes, rows, seconds, due):
    pending = PendingTable(ORDERS, changes, rows, NOW - timedelta(seconds=seconds))
    assert pending.is_due(CdcSettings(), NOW) is due


def test_columns_and_first_rows_never_wait():
    assert PendingTable(ORDERS, 0, 3_000_000, None).is_due(CdcSettings(), NOW)
    assert PendingTable(ORDERS, 1, 0, NOW).is_due(CdcSettings(), NOW)


def test_without_patience_every_drain_merges():
    assert PendingTable(ORDERS, 1, 3_000_000, NOW).is_due(CdcSettings(merge_seconds=0), NOW)
