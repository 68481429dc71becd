"""What deploying changes is told leaf by leaf, and what is the same is not."""

import pytest

from deployments.change import Change, differences


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"tags": ["a"]}, {"tags": ["a"]}, []),
        ({"tags": ["a"]}, {"tags": ["b"]}, [("tags", ["a"], ["b"])]),
        ({"parameters": {}}, {"parameters": {"rows": 0}}, [("parameters.rows", None, 0)]),
        (
            {"schedules": {"daily": {"on": True}}},
            {"schedules": {"daily": {"on": False}}},
            [("schedules.daily.on", True, False)],
        ),
        ({"parameters": {}, "tags": []}, {}, []),
        ({"concurrency_limit": 1}, {"concurrency_limit": None}, [("concurrency_limit", 1, None)]),
        ({"a": {"b": 1}}, {"a": [1]}, [("a", {"b": 1}, [1])]),
    ],
)
def test_difference_names_its_place(before, after, expected):
    assert differences(before, after) == expected


def test_schedule_that_goes_is_a_difference():
    [(path, before, after)] = differences({"schedules": {"daily": {"active": True}}}, {"schedules": {}})
    assert (path, before, after) == ("schedules.daily", {"active": True}, None)


def test_new_deployment_differs_in_all_it_says():
    change = Change("drain-cdc", "local", None, {"version": "1", "schedules": {}})
    assert change.full_name == "drain-cdc/local"
    assert change.differences == [("version", None, "1")]
