"""Capture that has stopped is told by the next drain, with its cause and what to do; it takes what is there before."""

import re

import pytest
from psycopg import sql
from pydantic import SecretStr

from connectors.cdc import capture
from connectors.cdc.capture import find_stop
from connectors.cdc.registration import register_source
from connectors.cdc.source_status import source_status
from connectors.cdc.sync import sync_source
from connectors.debezium.config import connector_name, publication_name, slot_name
from connectors.debezium.connect import ConnectClient
from connectors.errors import CaptureStopped
from connectors.lake.reader import query_lake
from connectors.postgres.connection import connect
from connectors.postgres.replication import emit_marker
from tests.lake import drain, registered_source

DDL = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(capture, "_INACTIVE_SECONDS", 3)


def ids(settings):
    with query_lake(settings, "SELECT id FROM silver.t ORDER BY id") as result:
        return [found for (found,) in result.fetchall()]


def cut(source, settings):
    """Ends the connection that reads the slot."""
    query = "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = %s AND active"
    source.execute(query, [slot_name(settings.cdc.source)])


def require_stopped(settings, source, what):
    """A drain through now fails, and says why."""
    with pytest.raises(CaptureStopped, match=what) as stopped:
        sync_source(settings, through_lsn=emit_marker(source)).merged()
    assert "`lakehouse source register`" in stopped.value.hint
    assert not source_status(settings).captured


def test_connector_that_was_paused_or_deleted(settings):
    with registered_source(settings, DDL) as source, ConnectClient(settings.connect.url) as client:
        name = connector_name(settings.cdc.source)
        source.execute("INSERT INTO t VALUES (2)")
        drain(settings, source)
        client.stop(name)
        source.execute("INSERT INTO t VALUES (3)")
        require_stopped(settings, source, "its connector is stopped")
        assert ids(settings) == [1, 2]
        register_source(settings)
        drain(settings, source)
        assert ids(settings) == [1, 2, 3]
        client.delete(name)
        source.execute("INSERT INTO t VALUES (4)")
        require_stopped(settings, source, "its connector is not there")
        register_source(settings)
        drain(settings, source)
        assert ids(settings) == [1, 2, 3, 4]
        assert find_stop(settings) is None


def test_connector_that_is_locked_out_by_a_changed_password(settings):
    role = f"reader_{settings.cdc.source}"
    with connect(settings.postgres) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} SUPERUSER REPLICATION LOGIN PASSWORD 'old'").format(sql.Identifier(role)))
        try:
            postgres = settings.postgres.model_copy(update={"user": role, "password": SecretStr("old")})
            own = settings.model_copy(update={"postgres": postgres})
            with registered_source(own, DDL):
                pass
            admin.execute(sql.SQL("ALTER ROLE {} PASSWORD 'new'").format(sql.Identifier(role)))
            cut(admin, settings)
            admin.execute("INSERT INTO t VALUES (2)")
            postgres = postgres.model_copy(update={"password": SecretStr("new")})
            own = settings.model_copy(update={"postgres": postgres})
            with connect(postgres) as source:
                require_stopped(own, source, "the database refuses the connector's log-in")
                register_source(own)
                drain(own, source)
            assert ids(settings) == [1, 2]
        finally:
            admin.execute(sql.SQL("DROP OWNED BY {0} CASCADE").format(sql.Identifier(role)))


def test_connector_without_its_publication_or_slot(settings):
    with registered_source(settings, DDL) as source, ConnectClient(settings.connect.url) as client:
        publication = sql.Identifier(publication_name(settings.cdc.source))
        source.execute(sql.SQL("DROP PUBLICATION {}").format(publication))
        cut(source, settings)
        source.execute("INSERT INTO t VALUES (2)")
        require_stopped(settings, source, "its publication is gone")
        client.stop(connector_name(settings.cdc.source))
        source.execute("SELECT pg_drop_replication_slot(%s)", [slot_name(settings.cdc.source)])
        client.resume(connector_name(settings.cdc.source))
        require_stopped(settings, source, "its replication slot, or the log that the slot needs, is gone")


def test_connection_that_was_cut_heals_by_itself(settings):
    with registered_source(settings, DDL) as source:
        cut(source, settings)
        source.execute("INSERT INTO t VALUES (2)")
        drain(settings, source)
        assert ids(settings) == [1, 2]


def test_share_of_the_first_snapshot_is_told(settings):
    with connect(settings.postgres) as source:
        source.execute("CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 100000)")
        source.execute("ANALYZE a")
        register_source(settings)
        seen = set()
        while "its connector runs" not in seen:
            seen.add(source_status(settings).says)
        assert any(re.search(r"being taken: some [1-9]\d? % of about 100,000 rows", said) for said in seen), seen
