"""Which changes a moment of the source saw, by the ids of their transactions."""

import duckdb
import pytest

from connectors.changes.moment import SourceMoment

XIDS = 2**32


@pytest.mark.parametrize(
    ("snapshot", "seen", "unseen"),
    [
        ("100:100:", [99, 3], [100, 101]),
        ("100:110:100,105", [99, 101, 104, 109], [100, 105, 110, 111]),
        # Ids as events carry them have 32 bits; those of a snapshot go on.
        (f"{XIDS + 5}:{XIDS + 9}:{XIDS + 7}", [XIDS - 1, 3, 5, 8], [7, 9, 10]),
        (f"{XIDS - 3}:{XIDS + 2}:{XIDS - 2},{XIDS}", [XIDS - 3, XIDS - 1, 1], [XIDS - 2, 0, 2, 3]),
    ],
)
def test_transactions_that_had_ended_are_seen(snapshot, seen, unseen):
    condition = SourceMoment.parse(snapshot).does_not_see("id")
    ids = ", ".join(f"({number}::BIGINT)" for number in (*seen, *unseen))
    found = duckdb.sql(f"SELECT id FROM (VALUES {ids}) AS t(id) WHERE {condition}").fetchall()
    assert [number for (number,) in found] == unseen
