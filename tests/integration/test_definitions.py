"""Changes of a table's definition that no event carries: silver is right after the next drain, or it says why not.

Those of each kind that Debezium meets in one go; all of them, also as they are made, are tried in `tests/long`.
"""

import pytest

from connectors.cdc.rebuild import rebuild_checked
from connectors.cdc.sync import sync_source
from connectors.changes.policies import POLICIES
from connectors.postgres.connection import connect
from tests.definitions import CASES, tried
from tests.lake import differences

NAMES = [
    "default dropped again",
    "constant, then rewritten",
    "constant dropped again on partitions",
    "expression changed",
    "values multiplied by 100",
    "padded key made text",
    "column came and went",
    "network made an address",
    "changed and not changed back",
    "label renamed",
    "label added",
    "constant of a table that nobody writes to",
    "attribute added",
    "enum exchanged in the key",
    "rewritten, with the values kept",
    "renamed and renamed back",
    "identity made full",
    "partition attached with rows",
    "empty partition made",
    "partition came without an identity",
    "without key, read as before",
    "without key, a column dropped",
    "without key, a zero below zero",
    "without key, values changed",
]
TOLD_OTHERWISE = {"publication altered"}


@pytest.fixture(scope="module")
def changes(stack_services, tmp_path_factory):
    with tried(stack_services, tmp_path_factory.mktemp("definitions") / "lake", NAMES) as found:
        yield found


@pytest.mark.parametrize("name", NAMES)
def test_silver_is_right_after_one_drain(changes, name):
    changes.require_as_expected(name)


def test_every_kind_that_is_compared_is_met(changes):
    told = {part.split(":")[0] for settled in changes.report.resolved for part in settled.why.split("; ")}
    assert {kind for kind, policy in POLICIES.items() if policy.answer == "verified"} - TOLD_OTHERWISE <= told


@pytest.mark.parametrize("name", ["constant dropped again on partitions", "rewritten, with the values kept"])
def test_table_made_anew_from_bronze_is_the_same(changes, name):
    assert rebuild_checked(changes.settings, changes.tables[name]).differing == 0


def test_constant_of_rows_from_before_a_column_outlives_a_rewrite(changes):
    table = changes.tables["constant of a table that nobody writes to"]
    with connect(changes.settings.postgres) as source:
        source.execute(f"VACUUM FULL {table}")
    [settled] = sync_source(changes.settings).resolved
    assert (settled.table, settled.outcome) == (table, "equal")
    assert rebuild_checked(changes.settings, table).differing == 0
    assert differences(changes.settings, str(table)) == {}


def test_each_state_of_the_catalogue_is_looked_into_once(changes):
    again = sync_source(changes.settings)
    assert again.resolved == []
    assert set(again.checked.paused) == {changes.tables["without key, values changed"]}
    assert "rows differ from the source" in str(again.checked.paused[changes.tables["without key, values changed"]])


def test_every_case_is_one_of_the_list():
    assert set(NAMES) <= set(CASES)
