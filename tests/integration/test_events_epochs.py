"""Tables that are resynced: by a new epoch, and by a snapshot that was interrupted and restarted."""

import time

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from connectors.cdc.drain import drain_source
from connectors.cdc.registration import register_source
from connectors.cdc.removal import remove_source
from connectors.debezium.config import connector_name, topic_name
from connectors.debezium.connect import ConnectClient
from connectors.errors import PositionLost
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName
from tests.lake import differences, drain, received

TABLES = ("a_one_row", "b_emptied", "c_changed", "d_keyless")
DDL = """
CREATE TABLE a_one_row (id int PRIMARY KEY, note text);
CREATE TABLE b_emptied (id int PRIMARY KEY, note text);
CREATE TABLE c_changed (id int PRIMARY KEY, note text);
CREATE TABLE d_keyless (note text);
ALTER TABLE d_keyless REPLICA IDENTITY FULL;
INSERT INTO a_one_row VALUES (1, 'before');
INSERT INTO b_emptied SELECT i, 'before' FROM generate_series(1, 3) i;
INSERT INTO c_changed SELECT i, 'before' FROM generate_series(1, 5) i;
INSERT INTO d_keyless VALUES ('twice'), ('twice'), (NULL);
"""


@pytest.fixture
def source(settings):
    with connect(settings.postgres) as connection:
        connection.execute(DDL)
        register_source(settings)
        yield connection


def change_all(source, note):
    for table in TABLES:
        source.execute(f"UPDATE {table} SET note = %s", [note])


def topic_of(settings, table):
    """The admin client, and a table's topic."""
    admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap_servers})
    return admin, topic_name(settings.cdc.source, TableName("public", table))


def delete(settings, table):
    """Deletes a topic, as somebody who wants to get rid of messages does."""
    admin, topic = topic_of(settings, table)
    admin.delete_topics([topic])[topic].result(30)
    while topic in admin.list_topics(timeout=30).topics:
        pass


def create(settings, table):
    """Makes a topic again."""
    admin, topic = topic_of(settings, table)
    admin.create_topics([NewTopic(topic, 1)])[topic].result(30)


def test_new_epoch_counts_more_than_all_before(settings, source):
    drain(settings, source)
    change_all(source, "captured")
    drain(settings, source)
    delete(settings, "a_one_row")
    with pytest.raises(PositionLost, match="a_one_row' was deleted: what no drain had read of it is lost"):
        drain(settings, source)
    create(settings, "a_one_row")
    delete(settings, "c_changed")
    create(settings, "c_changed")
    with pytest.raises(PositionLost, match="a_one_row' was recreated"):
        drain_source(settings)
    remove_source(settings, dry_run=False)
    change_all(source, "not captured")
    source.execute("UPDATE a_one_row SET id = 2; DELETE FROM b_emptied; DELETE FROM c_changed WHERE id < 3")
    source.execute("DELETE FROM d_keyless WHERE ctid = (SELECT min(ctid) FROM d_keyless)")
    register_source(settings)
    drain(settings, source)
    assert differences(settings) == {}
    change_all(source, "captured again")
    drain(settings, source)
    assert differences(settings) == {}


def test_snapshot_begun_anew_takes_back_what_the_first_one_saw(settings, source):
    name = connector_name(settings.cdc.source)
    with ConnectClient(settings.connect.url) as client, connect(settings.postgres) as blocker:
        client.wait_for_snapshot(name, timeout=60)
        drain(settings, source)
        client.stop(name)
        client.reset_offset(name)
        blocker.autocommit = False
        blocker.execute("LOCK TABLE d_keyless IN ACCESS EXCLUSIVE MODE")
        client.resume(name)
        wait_until_read_again(settings)
        # The snapshot waits for the lock: it is interrupted, and its rows change before the next.
        client.stop(name)
        source.execute("UPDATE a_one_row SET note = 'after'; UPDATE b_emptied SET note = 'after'")
        source.execute("DELETE FROM c_changed WHERE id < 3")
        blocker.rollback()
        client.resume(name)
        client.wait_for_snapshot(name, timeout=60)
    drain(settings, source)
    assert differences(settings) == {}
    change_all(source, "streamed")
    drain(settings, source)
    assert differences(settings) == {}


def wait_until_read_again(settings):
    deadline = time.monotonic() + 60
    while len(received(settings, "public.c_changed")) <= 5:
        drain_source(settings)
        assert time.monotonic() < deadline
