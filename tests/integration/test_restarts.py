"""Streaming that starts again goes on where it stood."""

import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from connectors.debezium.config import connector_name, slot_name
from connectors.debezium.connect import ConnectClient
from tests.lake import differences, drain, registered_source

DDL = """
CREATE TYPE nothing AS ENUM ();
CREATE TABLE item (id int PRIMARY KEY, never nothing);
CREATE TABLE log (note text);
ALTER TABLE log REPLICA IDENTITY FULL;
INSERT INTO item VALUES (0, NULL);
"""


def reader(source, settings):
    """Process of the server that streams to Debezium; None: nothing streams."""
    query = "SELECT active_pid FROM pg_replication_slots WHERE slot_name = %s"
    [(pid,)] = source.execute(query, [slot_name(settings.cdc.source)]).fetchall()
    return pid


def wait_for_reader(source, settings, *, other_than=None):
    wait = Retrying(
        retry=retry_if_result(lambda pid: pid in (None, other_than)), stop=stop_after_delay(60), wait=wait_fixed(0.1)
    )
    return wait(reader, source, settings)


def cut(source, settings):
    source.execute("SELECT pg_terminate_backend(%s)", [wait_for_reader(source, settings)])


def restart(source, settings):
    with ConnectClient(settings.connect.url) as client:
        client.restart(connector_name(settings.cdc.source))


@pytest.fixture
def source(settings):
    with registered_source(settings, DDL) as source:
        yield source


@pytest.mark.parametrize("begin_again", [cut, restart])
def test_first_change_after_a_restart_arrives(settings, source, begin_again):
    for n in (1, 2):
        last = wait_for_reader(source, settings)
        begin_again(source, settings)
        wait_for_reader(source, settings, other_than=last)
        source.execute("INSERT INTO item VALUES (%s, NULL)", [n])
        source.execute("INSERT INTO log VALUES (%s)", [f"the first after restart {n}"])
        drain(settings, source)
        assert differences(settings) == {}
