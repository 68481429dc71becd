"""A first snapshot that is interrupted and begins again: what its first attempt alone saw is gone."""

import time
from contextlib import contextmanager

from connectors.cdc.registration import register_source
from connectors.cdc.sync import sync_source
from connectors.changes.markers import NO_MARKER
from connectors.debezium.config import connector_name
from connectors.debezium.connect import ConnectClient
from connectors.lake.bronze import BronzeLog
from connectors.lake.layout import LakeLayout
from connectors.lake.storage import duckdb_connection
from connectors.lake.views import pin_silver, register_views
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName
from tests.lake import differences, drain, written

DDL = """
CREATE TABLE aside (id int PRIMARY KEY);
CREATE TABLE item (id int PRIMARY KEY, name text);
CREATE TABLE keyless (id int, name text);
ALTER TABLE keyless REPLICA IDENTITY FULL;
INSERT INTO aside SELECT generate_series(1, 3);
INSERT INTO item SELECT n, 'before' FROM generate_series(1, 60000) n;
INSERT INTO keyless SELECT n, 'before' FROM generate_series(1, 10) n;
"""


@contextmanager
def begun_again(settings):
    """A source, of which the first snapshot was interrupted; what it had read is deleted, and the second one begins."""
    with connect(settings.postgres) as source, ConnectClient(settings.connect.url) as client:
        source.execute(DDL)
        register_source(settings)
        while not written(settings, "item"):
            pass
        client.stop(connector_name(settings.cdc.source))
        assert 0 < written(settings, "item") < 60000
        source.execute("DELETE FROM item; DELETE FROM keyless")
        client.resume(connector_name(settings.cdc.source))
        yield source


def test_rows_that_the_second_attempt_does_not_see_are_gone(settings):
    with begun_again(settings) as source:
        drain(settings, source)
        assert differences(settings) == {}
        source.execute("INSERT INTO item VALUES (60001, 'after'); INSERT INTO keyless VALUES (11, 'after')")
        drain(settings, source)
        assert differences(settings) == {}


def test_they_are_gone_too_where_drains_wait_for_nothing(settings):
    """As those on a schedule: one writes the marker that a later one meets."""
    layout, names = LakeLayout.of(settings), ["aside", "item", "keyless"]
    with begun_again(settings):
        deadline = time.monotonic() + 60
        while BronzeLog(layout).through == NO_MARKER:
            sync_source(settings).merged()
            assert time.monotonic() < deadline
        with duckdb_connection(layout.root) as connection:
            register_views(
                connection, pin_silver(layout.root, layout.source, [TableName("public", name) for name in names])
            )
            counts = [connection.execute(f"SELECT count(*) FROM silver.{name}").fetchone() for name in names]
    assert counts == [(3,), (0,), (0,)]
