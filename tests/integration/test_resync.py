"""A table is resynced while changes go on: afterwards silver is the source, whatever it was before."""

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr

from connectors.cdc.drain import drain_source
from connectors.cdc.merge import merge_table
from connectors.cdc.rebuild import rebuild_checked
from connectors.cdc.registration import register_source
from connectors.cdc.removal import remove_source
from connectors.cdc.reports import MergeReport
from connectors.cdc.resync import open_readers, resync_table, take_snapshot
from connectors.cdc.sync import sync_source
from connectors.debezium.connect import ConnectClient
from connectors.errors import ConfigurationError, ContractMismatch, SourceNotReady
from connectors.lake.layout import LakeLayout
from connectors.lake.storage import open_table
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import emit_marker
from connectors.quality.reconcile import reconcile_source
from tests.lake import as_recorded, drain

ITEM, OTHER, LOG = (TableName("public", name) for name in ("item", "other", "log"))
DDL = """
CREATE TABLE item (id int PRIMARY KEY, name text, big text, at timestamp(3));
CREATE TABLE other (id int PRIMARY KEY, name text);
CREATE TABLE log (note text);
ALTER TABLE log REPLICA IDENTITY FULL;
INSERT INTO item SELECT n, 'before', NULL, '2026-01-02 03:04:05.678' FROM generate_series(1, 500) n;
INSERT INTO other SELECT n, 'before' FROM generate_series(1, 20) n;
"""


@pytest.fixture
def source(settings):
    with connect(settings.postgres) as connection:
        connection.execute(DDL)
        connection.execute("UPDATE item SET big = %s WHERE id <= 10", [secrets.token_hex(4000)])
        register_source(settings)
        drain(settings, connection)
        yield connection


def mismatches(settings):
    return {str(found.table): found.keys for found in reconcile_source(settings) if found.mismatches}


def test_silver_that_is_wrong_is_right_again_and_stays_so(settings, source):
    open_table(LakeLayout.of(settings).silver(ITEM)).delete("id > 3")
    assert mismatches(settings) != {}
    stop = threading.Event()
    traffic = threading.Thread(target=change_until, args=(settings.postgres, stop))
    traffic.start()
    try:
        report = resync_table(settings, ITEM)
    finally:
        stop.set()
        traffic.join()
    assert report.rows > 3
    drain(settings, source)
    assert mismatches(settings) == {}
    assert rebuild_checked(settings, ITEM).differing == 0


def test_resyncs_of_one_table_at_once_end_well_whichever_is_first(settings, source):
    open_table(LakeLayout.of(settings).silver(ITEM)).delete("id > 3")
    stop = threading.Event()
    traffic = threading.Thread(target=change_until, args=(settings.postgres, stop))
    traffic.start()
    try:
        with ThreadPoolExecutor(3) as threads:
            reports = [run.result() for run in [threads.submit(resync_table, settings, ITEM) for _ in range(3)]]
    finally:
        stop.set()
        traffic.join()
    assert {report.table for report in reports} == {ITEM}
    drain(settings, source)
    assert (mismatches(settings), open_readers(settings)) == ({}, [])
    assert rebuild_checked(settings, ITEM).differing == 0


@pytest.mark.parametrize("end", ["resync", "remove"])
def test_connector_that_a_killed_resync_left_is_ended_by_the_next_command(settings, source, monkeypatch, end):
    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ConnectClient, "wait_for_snapshot", killed)
        for table in (ITEM, OTHER):
            with pytest.raises(KeyboardInterrupt):
                take_snapshot(settings, table)
    of_item, of_other = open_readers(settings)
    source.execute("DELETE FROM item WHERE id = 5; UPDATE item SET name = 'meanwhile' WHERE id = 6")
    drain(settings, source)
    assert mismatches(settings) == {}
    if end == "remove":
        assert f"connector {of_item} of a resync" in remove_source(settings, dry_run=True)
        remove_source(settings, dry_run=False)
        assert open_readers(settings) == []
    else:
        resync_table(settings, ITEM)
        assert (mismatches(settings), open_readers(settings)) == ({}, [of_other])


def test_resync_that_began_later_and_ends_first_counts(settings, source, monkeypatch):
    wait, overtaken = ConnectClient.wait_for_snapshot, []

    def overtake(client, name, **options):
        if not overtaken:
            overtaken.append(name)
            source.execute("UPDATE item SET name = 'meanwhile' WHERE id = 6")
            resync_table(settings, ITEM)
            assert client.config(name) is None
        wait(client, name, **options)

    monkeypatch.setattr(ConnectClient, "wait_for_snapshot", overtake)
    assert resync_table(settings, ITEM).differing == 0
    assert (mismatches(settings), open_readers(settings)) == ({}, [])


def change_until(postgres, stop):
    """Transactions that last, so that some are open while the table is read."""
    with connect(postgres) as connection:
        n = 0
        while not stop.wait(0.02):
            n += 1
            with connection.transaction():
                connection.execute("UPDATE item SET name = %s WHERE id %% 7 = %s", [f"round {n}", n % 7])
                connection.execute("UPDATE item SET id = id + 10000 WHERE id = %s", [n % 10])
                stop.wait(0.02)
                connection.execute("DELETE FROM item WHERE id = %s", [100 + n])


def test_changed_columns_are_carried_through(settings, source):
    source.execute("ALTER TABLE item ADD COLUMN added int DEFAULT 7")
    source.execute("ALTER TABLE item ALTER COLUMN at TYPE timestamp(6)")
    source.execute("UPDATE item SET name = 'after', at = '2026-01-02 03:04:05.678901' WHERE id < 20")
    drain_source(settings, through_lsn=emit_marker(source))
    with pytest.raises(ContractMismatch, match="does not know: added"):
        merge_table(settings, ITEM, checked=as_recorded(settings))
    source.execute("UPDATE other SET name = 'goes on'")
    drain_source(settings, through_lsn=emit_marker(source))
    merge_table(settings, OTHER, checked=as_recorded(settings))
    resync_table(settings, ITEM)
    source.execute("UPDATE item SET added = 8 WHERE id = 1")
    drain(settings, source)
    assert mismatches(settings) == {}
    assert rebuild_checked(settings, ITEM).differing == 0


def test_table_that_is_empty_now_is_empty_in_silver(settings, source):
    source.execute("DELETE FROM other")
    assert resync_table(settings, OTHER).rows == 0
    assert mismatches(settings) == {}


def test_column_whose_name_is_taken_holds_its_table_until_it_is_renamed(settings, source):
    source.execute("ALTER TABLE item ADD COLUMN _cdc_op int")
    source.execute("UPDATE item SET name = 'after' WHERE id = 1; UPDATE other SET name = 'goes on'")
    report = sync_source(settings, through_lsn=emit_marker(source))
    assert "column name taken: _cdc_op" in str(report.outcomes[ITEM])
    assert isinstance(report.outcomes[OTHER], MergeReport)
    with pytest.raises(SourceNotReady, match='RENAME COLUMN "_cdc_op" TO'):
        resync_table(settings, ITEM)

    source.execute("ALTER TABLE item RENAME COLUMN _cdc_op TO other_name")
    resync_table(settings, ITEM)
    source.execute("UPDATE item SET name = 'again' WHERE id = 2")
    drain(settings, source)
    assert mismatches(settings) == {}


def test_definition_that_changes_before_the_rows_that_were_read_are_merged(settings, source):
    take_snapshot(settings, ITEM)
    source.execute("DELETE FROM item WHERE id = 1; UPDATE item SET name = 'meanwhile' WHERE id = 2")
    source.execute("VACUUM FULL item")
    source.execute("UPDATE item SET name = 'after' WHERE id = 3")
    [settled] = sync_source(settings, through_lsn=emit_marker(source)).resolved
    assert (settled.outcome, settled.rows) == ("equal", 499)
    assert mismatches(settings) == {}


def test_comparison_is_exact_while_the_table_is_written_to(settings, source):
    stop = threading.Event()
    traffic = threading.Thread(target=change_until, args=(settings.postgres, stop))
    traffic.start()
    outcomes = []
    try:
        for _ in range(3):
            source.execute("VACUUM FULL item")
            outcomes += [s.outcome for s in sync_source(settings, through_lsn=emit_marker(source)).resolved]
    finally:
        stop.set()
        traffic.join()
    assert outcomes == ["equal"] * 3
    drain(settings, source)
    assert mismatches(settings) == {}


def test_hidden_rows_are_taken_for_deleted_by_nobody(settings, source):
    role = f"reader_{secrets.token_hex(4)}"
    source.execute(f"CREATE ROLE {role} LOGIN REPLICATION PASSWORD '{role}' IN ROLE pg_read_all_data")
    source.execute("ALTER TABLE item ENABLE ROW LEVEL SECURITY; CREATE POLICY upper_half ON item USING (id > 100)")
    reader = settings.postgres.model_copy(update={"user": role, "password": SecretStr(role)})
    as_reader = settings.model_copy(update={"postgres": reader})
    try:
        for look in (lambda: reconcile_source(as_reader), lambda: resync_table(as_reader, ITEM)):
            with pytest.raises(SourceNotReady, match=r"public\.item has row-level security that hides rows"):
                look()
        source.execute("VACUUM FULL item")
        report = sync_source(as_reader, through_lsn=emit_marker(source))
        assert set(report.checked.paused) == {ITEM}
        assert "has row-level security that hides rows" in report.checked.paused[ITEM].message
    finally:
        source.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_what_can_not_be_read_anew_is_refused(settings, source):
    source.execute("INSERT INTO log VALUES ('there before')")
    with pytest.raises(SourceNotReady, match="no primary key"):
        resync_table(settings, LOG)
    with pytest.raises(ConfigurationError, match="not a captured table"):
        resync_table(settings, TableName("public", "nonesuch"))
