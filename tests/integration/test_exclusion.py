"""A table that Debezium can't take any more: it alone stops, whatever is written to it, until its cause is fixed."""

import pytest

from connectors.cdc.registration import register_source
from connectors.cdc.sync import sync_source
from connectors.debezium.config import connector_name
from connectors.debezium.connect import ConnectClient
from connectors.errors import SourceNotReady
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import emit_marker
from tests.lake import differences, drain, registered_source

DDL = """
CREATE TABLE other (id int PRIMARY KEY, email text);
CREATE TABLE item (id int PRIMARY KEY, email text, hosts inet[]);
INSERT INTO item SELECT n, 'before', ARRAY['10.0.0.1'::inet] FROM generate_series(1, 3) n;
"""
ITEM = TableName("public", "item")
LARGE = """
UPDATE item SET hosts = (SELECT array_agg('10.0.0.0'::inet + n) FROM generate_series(1, 5000) n) WHERE id = 1;
UPDATE item SET email = 'changed' WHERE id = 1;
"""


@pytest.fixture
def source(settings, request):
    with registered_source(settings, DDL + request.param) as source:
        yield source


def stop_of(settings):
    """Waits until the connector has stopped; returns why."""
    name = connector_name(settings.cdc.source)
    with ConnectClient(settings.connect.url) as client, pytest.raises(SourceNotReady) as raised:
        client.wait_until(name, lambda _: False, aim="failed", timeout=60)
    return str(raised.value)


@pytest.mark.parametrize(
    ("source", "change", "problem", "fix"),
    [
        (
            "ALTER TABLE item REPLICA IDENTITY FULL; ALTER TABLE item ALTER hosts SET STORAGE EXTERNAL;",
            "ALTER TABLE item REPLICA IDENTITY DEFAULT;" + LARGE,
            "hosts is of type inet[]: Debezium can't write a large value",
            "ALTER TABLE item REPLICA IDENTITY FULL",
        ),
        (
            "ALTER TABLE item ALTER hosts SET STORAGE PLAIN;",
            "ALTER TABLE item ALTER hosts SET STORAGE EXTERNAL;" + LARGE,
            "hosts is of type inet[]: Debezium can't write a large value",
            "ALTER TABLE item REPLICA IDENTITY FULL",
        ),
    ],
    indirect=["source"],
    ids=["identity", "storage"],
)
def test_source_that_has_stopped_goes_on_without_the_table(settings, source, change, problem, fix):
    source.execute(change)
    assert "Failed to properly convert data value" in stop_of(settings)
    require_paused_until_fixed(settings, source, problem, fix)


@pytest.mark.parametrize(
    "source", ["ALTER TABLE item REPLICA IDENTITY FULL;"], indirect=True, ids=["columns in one name"]
)
def test_table_is_left_out_before_debezium_meets_it(settings, source):
    source.execute('ALTER TABLE item ADD COLUMN "Email" text')
    problem = "Email differs from 'email' only in letter case: Debezium stops"
    require_paused_until_fixed(settings, source, problem, 'ALTER TABLE item RENAME COLUMN "Email" TO mail')


def require_paused_until_fixed(settings, source, problem, fix):
    source.execute("INSERT INTO other VALUES (1, 'goes on')")
    report = sync_source(settings, through_lsn=emit_marker(source))
    assert set(report.checked.paused) == {ITEM}
    assert problem in report.checked.paused[ITEM].message
    assert differences(settings, "public.other") == {}
    source.execute("UPDATE item SET email = 'while it was left out' WHERE id = 2; INSERT INTO other VALUES (2, 'too')")
    report = sync_source(settings, through_lsn=emit_marker(source))
    assert set(report.checked.paused) == {ITEM}
    assert differences(settings, "public.other") == {}
    with pytest.raises(SourceNotReady, match=problem.split(" ")[0]):
        register_source(settings)

    source.execute(fix)
    register_source(settings)
    source.execute("DELETE FROM item WHERE id = 3")
    drain(settings, source)
    assert differences(settings) == {}
