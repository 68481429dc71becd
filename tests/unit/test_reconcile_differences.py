"""Merging the two sides' sorted keys into what differs."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ReconciliationMismatch
from connectors.postgres.identifiers import TableName
from connectors.quality.comparison import KeySum, differences
from connectors.quality.reconcile import require_equal
from connectors.quality.reports import TableComparison

KEYS = st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(st.integers(1, 2), st.integers(0, 1)))


def stream(keys: dict[str, tuple[int, int]]) -> list[KeySum]:
    return [KeySum(match, rows, digest, (match,)) for match, (rows, digest) in sorted(keys.items())]


@given(KEYS, KEYS)
def test_each_differing_key_once(source, silver):
    found = {difference.either.match: difference.kind for difference in differences(stream(source), stream(silver))}
    expected = {}
    for match in source.keys() | silver.keys():
        (there, one), (here, other) = source.get(match, (0, 0)), silver.get(match, (0, 0))
        if (there, one) != (here, other):
            expected[match] = "extra" if here > there else "missing" if here < there else "different"
    assert found == expected


def test_only_as_far_as_asked_for():
    endless = (KeySum(f"{number:09}", 1, 1, (None,)) for number in count())
    assert next(differences(endless, iter(()))).kind == "missing"


@pytest.mark.parametrize(
    ("moved", "hint"),
    [
        (None, "what is not drained yet differs, too"),
        ([], "nothing was written meanwhile to these tables: `lakehouse resync public.t` reads them again"),
        ([TableName("public", "t")], "rows of public.t were written while they were compared"),
    ],
)
def test_hint_says_whether_the_source_moved(moved, hint):
    find = None if moved is None else lambda: moved
    with pytest.raises(ReconciliationMismatch, match=r"public\.t \(mismatches: 1\)") as error:
        require_equal([TableComparison(TableName("public", "t"), 1, 1, 1, ("different id=1",))], find_moved=find)
    assert hint in error.value.hint
