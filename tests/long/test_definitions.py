"""All changes of a table's definition that no event carries, met by Debezium in one go, and as they are made."""

import pytest

from connectors.cdc.rebuild import rebuild_checked
from tests.definitions import CASES, at_once, behind, tried


@pytest.fixture(scope="module", params=[at_once, behind], ids=["at once", "behind"])
def changes(request, stack_services, tmp_path_factory):
    root = tmp_path_factory.mktemp("definitions") / "lake"
    with tried(stack_services, root, CASES, when=request.param) as found:
        yield found


@pytest.mark.parametrize("name", CASES)
def test_silver_is_right_after_one_drain(changes, name):
    changes.require_as_expected(name)
    if CASES[name].outcome != "paused":
        assert rebuild_checked(changes.settings, changes.tables[name]).differing == 0
