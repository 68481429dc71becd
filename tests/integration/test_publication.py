"""A publication that somebody narrows: its tables are paused, nothing is missed unseen, and registering mends it."""

import pytest

from connectors.cdc.registration import register_source
from connectors.cdc.source_status import check_source
from connectors.cdc.sync import sync_source
from connectors.debezium.config import publication_name
from connectors.errors import TablePaused
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import emit_marker
from tests.definitions import behind
from tests.lake import differences, drain, registered_source

DDL = """
CREATE TABLE item (id int PRIMARY KEY, name text, size int, twice int GENERATED ALWAYS AS (size * 2) STORED);
CREATE TABLE part (id int PRIMARY KEY, name text) PARTITION BY RANGE (id);
CREATE TABLE part_low PARTITION OF part FOR VALUES FROM (0) TO (100);
ALTER TABLE item REPLICA IDENTITY FULL;
INSERT INTO item SELECT n, 'before', n FROM generate_series(1, 6) n;
INSERT INTO part SELECT n, 'before' FROM generate_series(1, 6) n;
"""
ITEM, PART = TableName("public", "item"), TableName("public", "part")
NARROWED = {
    "SET (publish = 'insert, update')": ({ITEM, PART}, "deletes, truncations"),
    "SET (publish = 'insert, delete, truncate')": ({ITEM, PART}, "updates"),
    "SET TABLE item WHERE (id > 2), part": ({ITEM}, "rows by a filter"),
    "SET TABLE item (id, name), part": ({ITEM}, "columns that it does not list"),
    "SET (publish_via_partition_root = false)": ({PART}, "changes under the name of the partitioned table"),
    "SET (publish_generated_columns = none)": ({ITEM}, "generated columns"),
}


@pytest.fixture
def source(settings):
    with registered_source(settings, DDL) as source:
        yield source


@pytest.mark.parametrize("change", NARROWED)
def test_narrowed_table_is_held_and_registering_mends_it(settings, source, change):
    tables, left_out = NARROWED[change]
    source.execute(f"ALTER PUBLICATION {publication_name(settings.cdc.source)} {change}")
    for table in (ITEM, PART):
        # PostgreSQL refuses an update of rows whose identity a list or a filter leaves out.
        source.execute(f"INSERT INTO {table} (id, name) VALUES (10, 'after')")
    if "item (id" not in change and "generated" not in change:
        source.execute("UPDATE item SET size = 70 WHERE id IN (1, 5); DELETE FROM item WHERE id IN (2, 6)")
    source.execute("UPDATE part SET name = 'changed' WHERE id IN (1, 5); DELETE FROM part WHERE id IN (2, 6)")

    report = sync_source(settings, through_lsn=emit_marker(source))
    assert {table: str(error) for table, error in report.checked.paused.items() if left_out not in str(error)} == {}
    assert set(report.checked.paused) == tables
    assert {type(o) for table, o in report.outcomes.items() if table in tables} <= {TablePaused}
    problem = f"is published without {left_out}: such changes are missed"
    named = {finding.subject for finding in check_source(settings) if finding.problem == problem}
    assert named == set(map(str, tables))

    registered = register_source(settings)
    assert {f"snapshot of {table} taken" for table in tables} <= set(registered.changed)
    drain(settings, source)
    assert differences(settings) == {}
    source.execute("UPDATE item SET size = 80 WHERE id = 3; DELETE FROM part WHERE id = 3")
    drain(settings, source)
    assert differences(settings) == {}
    assert register_source(settings).changed == ()


MISSED = "UPDATE item SET size = 70 WHERE id = 1; DELETE FROM part WHERE id = 2"
UNDONE = {
    "narrowed": [
        "ALTER PUBLICATION {0} SET (publish = 'insert')",
        MISSED,
        "ALTER PUBLICATION {0} SET (publish = 'insert, update, delete, truncate')",
    ],
    "dropped": [
        "DROP PUBLICATION {0}",
        MISSED,
        "CREATE PUBLICATION {0} FOR TABLE ONLY item, ONLY part "
        "WITH (publish_via_partition_root = true, publish_generated_columns = stored)",
    ],
}


@pytest.mark.parametrize("what", UNDONE)
def test_what_was_missed_until_the_publication_was_as_before_is_found(settings, source, what):
    with behind(settings):
        for statement in UNDONE[what]:
            source.execute(statement.format(publication_name(settings.cdc.source)))
    report = sync_source(settings, through_lsn=emit_marker(source))
    assert {(s.table, s.outcome) for s in report.resolved} == {(ITEM, "resynced"), (PART, "resynced")}
    assert {s.why.split(";")[0] for s in report.resolved} == {"publication altered"}
    assert differences(settings) == {}
    source.execute("UPDATE item SET size = 80 WHERE id = 3; DELETE FROM part WHERE id = 3")
    drain(settings, source)
    assert differences(settings) == {}
