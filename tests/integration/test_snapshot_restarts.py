"""A first snapshot that is interrupted and begins again: what its first attempt alone saw is gone."""

from connectors.cdc.registration import register_source
from connectors.debezium.config import connector_name, topic_name
from connectors.debezium.connect import ConnectClient
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName
from connectors.streams import open_stream
from tests.lake import differences, drain

DDL = """
CREATE TABLE aside (id int PRIMARY KEY);
CREATE TABLE item (id int PRIMARY KEY, name text);
CREATE TABLE keyless (id int, name text);
ALTER TABLE keyless REPLICA IDENTITY FULL;
INSERT INTO aside SELECT generate_series(1, 3);
INSERT INTO item SELECT n, 'before' FROM generate_series(1, 60000) n;
INSERT INTO keyless SELECT n, 'before' FROM generate_series(1, 10) n;
"""


def written(settings, table):
    with open_stream(settings) as stream:
        topic = topic_name(settings.cdc.source, TableName("public", table))
        return sum(n for partition, n in stream.written_positions().items() if partition.topic == topic)


def test_rows_that_the_second_attempt_does_not_see_are_gone(settings):
    with connect(settings.postgres) as source, ConnectClient(settings.connect.url) as client:
        source.execute(DDL)
        register_source(settings)
        while not written(settings, "item"):
            pass
        client.stop(connector_name(settings.cdc.source))
        assert 0 < written(settings, "item") < 60000
        source.execute("DELETE FROM item; DELETE FROM keyless")
        client.resume(connector_name(settings.cdc.source))
        drain(settings, source)
        assert differences(settings) == {}
        source.execute("INSERT INTO item VALUES (60001, 'after'); INSERT INTO keyless VALUES (11, 'after')")
        drain(settings, source)
        assert differences(settings) == {}
