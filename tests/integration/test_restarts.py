"""Streaming that starts again goes on where it stood."""

import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from connectors.cdc.sync import sync_source
from connectors.debezium.config import connector_name, slot_name
from connectors.debezium.connect import ConnectClient
from connectors.errors import TerminalError
from connectors.lake.bronze import BronzeLog
from connectors.lake.layout import LakeLayout
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import emit_marker
from tests.lake import differences, drain, reconfigure, registered_source, with_cdc, written

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


def cut_a_change_of_key(settings, source):
    """Stops Debezium while it sends changed keys, until it does so between the two halves of one."""
    layout = LakeLayout.of(settings)
    # Polls end anywhere among a delete, its tombstone and an insert.
    reconfigure(settings, max__batch__size="1", max__queue__size="2")
    for _ in range(12):
        before = written(settings, "item")
        source.execute("UPDATE item SET id = id + 1000")
        while written(settings, "item") < before + 20:
            pass
        restart(source, settings)
        report = sync_source(with_cdc(settings, auto_resync_rows=0), through_lsn=emit_marker(source))
        if BronzeLog(layout).torn(TableName("public", "item")).lsn:
            return report
    pytest.fail("no change of a key was cut in two")


def test_row_whose_change_of_key_was_cut_in_two_is_read_again(settings, source):
    source.execute("INSERT INTO item SELECT n, NULL FROM generate_series(1, 99) n")
    drain(settings, source)
    with pytest.raises(TerminalError, match=r"item: a key was changed, .* never arrived"):
        cut_a_change_of_key(settings, source).merged()
    report = sync_source(settings, through_lsn=emit_marker(source))
    assert [(str(r.table), r.outcome) for r in report.resolved] == [("public.item", "resynced")]
    report.merged()
    assert differences(settings) == {}
    drain(settings, source)
    assert differences(settings) == {}
