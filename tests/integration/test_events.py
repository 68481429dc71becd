"""Every event has a meaning: changes of every kind, through the real Debezium, leave silver equal to the source."""

from types import SimpleNamespace

import pytest

from connectors.lake.layout import LakeLayout
from connectors.lake.storage import open_table
from connectors.postgres.connection import connect
from connectors.quality.reconcile import reconcile_source
from connectors.source import register_source
from tests.cases.case import all_cases
from tests.lake import drain, open_lake
from tests.services import fresh_database, fresh_settings

CASES = {type(case).__module__.rpartition(".")[2]: case for case in all_cases()}


@pytest.fixture(scope="module")
def lake(stack_services, tmp_path_factory):
    """One source with the tables of all cases, after some rounds of their changes."""
    root = tmp_path_factory.mktemp("events") / "lake"
    with fresh_database(stack_services) as database, fresh_settings(stack_services, database, root) as fresh:
        # Small micro-batches, so that cuts fall between the changes of a round.
        settings = fresh.model_copy(update={"cdc": fresh.cdc.model_copy(update={"batch_messages": 300})})
        with connect(database) as source:
            source.autocommit = True
            for case in CASES.values():
                source.execute(case.ddl)
                source.execute(case.before)
            register_source(settings)
            drain(settings, source)
            for rounds in ([1], [2, 3]):
                for n in rounds:
                    for case in CASES.values():
                        case.change(source, n)
                drain(settings, source)
            found = reconcile_source(settings)
            with open_lake(settings) as view:
                yield SimpleNamespace(settings=settings, source=source, view=view, comparisons=found)


def belongs(table, name):
    return table == name or table.startswith(f"{name}_")


@pytest.mark.parametrize("name", CASES)
def test_silver_equals_the_source_after(lake, name):
    compared = [c for c in lake.comparisons if belongs(c.table.name, name)]
    assert {str(c.table): c.keys for c in compared if c.mismatches} == {}
    assert compared
    quarantine = open_table(LakeLayout(lake.settings.lake.root, lake.settings.cdc.source).quarantine)
    rejected = [] if quarantine is None else quarantine.to_pyarrow_table().to_pylist()
    assert [r for r in rejected if belongs(r["source_table"].partition(".")[2], name)] == []
    CASES[name].check(lake.view)
