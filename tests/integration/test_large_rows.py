"""Rows larger than a message may be: found before they stop capture, named when they do, and let through on request."""

import secrets

import pytest

from connectors.cdc.capture import find_stop
from connectors.cdc.registration import register_source
from connectors.cdc.source_status import check_source
from connectors.debezium.config import connector_name
from connectors.debezium.connect import ConnectClient, ConnectorStatus
from connectors.errors import SourceNotReady
from connectors.postgres.catalog import list_tables, read_contracts
from connectors.postgres.checks import Finding
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName
from connectors.postgres.large_rows import LargeRow, LargeRows, find_large_rows
from tests.lake import differences, drain, registered_source, with_cdc

MIB = 2**20
DDL = "CREATE TABLE paper (year int, n int, body text, size int, PRIMARY KEY (year, n))"


def found(connection, *, over=MIB, seconds=10.0):
    contracts = read_contracts(connection, list_tables(connection, ["*.*"]))
    return find_large_rows(connection, contracts, over=over, seconds=seconds)


@pytest.mark.parametrize(
    ("columns", "value", "size"),
    [
        ("v text", "repeat('x', 2000000)", 2_000_000),
        ("v varchar", "repeat('ä', 1000000)", 2_000_000),
        ("v bytea", "convert_to(repeat('x', 1500000), 'utf8')", 2_000_000),
        ("v jsonb", "to_jsonb(repeat('x', 1999998))", 2_000_000),
        ("v text[]", "ARRAY[repeat('x', 1999998)]", 2_000_000),
        ("v text, w text", "repeat('x', 1000000), repeat('y', 1000000)", 2_000_000),
    ],
)
def test_size_of_a_row_is_what_a_message_has_of_it(database, columns, value, size):
    with connect(database) as connection:
        connection.execute(f"CREATE TABLE t (id int PRIMARY KEY, {columns})")
        connection.execute(f"INSERT INTO t SELECT n, {value} FROM generate_series(1, 2) n")
        connection.execute("INSERT INTO t VALUES (3, NULL)")
        table = TableName("public", "t")
        assert set(found(connection).rows) == {LargeRow(table, f"id = {n}", size) for n in (1, 2)}
        assert found(connection, over=size).rows == ()


def test_column_that_was_dropped_leaves_its_values_and_no_large_row(database):
    with connect(database) as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
        connection.execute("INSERT INTO t VALUES (1, repeat('x', 2000000))")
        connection.execute("ALTER TABLE t DROP COLUMN v")
        assert found(connection) == LargeRows((), ())


def test_tables_that_there_is_no_time_for_are_told(database):
    with connect(database) as connection:
        connection.execute("CREATE TABLE t (v text); INSERT INTO t VALUES (repeat('x', 2000000))")
        connection.execute("CREATE TABLE small (v text); INSERT INTO small VALUES ('x')")
        [row] = found(connection).rows
        assert row.key == "ctid = (0,1)"
        assert found(connection, seconds=0).unread == (TableName("public", "t"),)
        with connect(database) as other, other.transaction():
            other.execute("LOCK t")
            assert found(connection, seconds=0.1).unread == (TableName("public", "t"),)
        assert found(connection).unread == ()


def test_row_that_is_too_large_is_named(settings, monkeypatch):
    narrow = with_cdc(settings, message_bytes=MIB)
    with registered_source(narrow, DDL) as source, ConnectClient(settings.connect.url) as client:
        client.stop(connector_name(settings.cdc.source))
        source.execute("INSERT INTO paper VALUES (2026, 6, 'small'), (2026, 7, %s)", [secrets.token_hex(MIB)])
        with pytest.raises(SourceNotReady, match=r"the row with year = 2026 and n = 7 takes some 2.0 MiB"):
            register_source(narrow)
        # What Kafka Connect says when the connector comes to it; it takes half a minute until it does.
        failure = (
            "ConnectException: Unrecoverable exception trying to send (caused by: org.apache.kafka.common.errors."
            "RecordTooLargeException: The message is 2097789 bytes when serialized which is larger than 1048576, which"
            " is the value of the max.request.size configuration.)"
        )
        monkeypatch.setattr(ConnectClient, "status", lambda *_: ConnectorStatus("RUNNING", ("FAILED",), failure))
        stopped = find_stop(narrow)
        assert "public.paper with year = 2026 and n = 7 (some 2.0 MiB)" in stopped.message
        assert "set LAKEHOUSE_CDC__MESSAGE_BYTES to more than that, then run" in stopped.hint
        source.execute("DELETE FROM paper WHERE n = 7")
        assert "an earlier change of one is still to be read" in find_stop(narrow).message


def test_messages_may_become_larger_without_a_new_snapshot(settings):
    narrow, wide = (with_cdc(settings, message_bytes=size * MIB) for size in (1, 40))
    with registered_source(narrow, DDL) as source:
        source.execute("INSERT INTO paper VALUES (2026, 1, 'small')")
        drain(narrow, source)
        assert register_source(wide).changed == (
            "topics take messages of up to 40 MiB",
            f"connector {connector_name(settings.cdc.source)} started",
        )
        source.execute("INSERT INTO paper VALUES (2026, 2, %s)", [secrets.token_hex(18 * MIB)])
        drain(wide, source)
        assert differences(wide) == {}
        assert register_source(wide).changed == ()


def test_row_that_is_too_large_is_found_before_the_first_snapshot(settings):
    narrow = with_cdc(settings, message_bytes=2 * MIB)
    with connect(settings.postgres) as source:
        source.execute(DDL)
        source.execute("INSERT INTO paper SELECT 1, n, repeat('x', n * 1000000) FROM generate_series(0, 3) n")
        told = [finding for finding in check_source(narrow) if "MiB" in finding.problem]
    problem = "with year = 1 and n = {} takes some {} MiB of a message, which may have 2"
    fix = "set LAKEHOUSE_CDC__MESSAGE_BYTES={}, or make the row smaller"
    assert told == [
        Finding("blocker", "public.paper: the row", problem.format(3, 2.9), fix.format(8 * MIB)),
        Finding("warning", "public.paper: the row", problem.format(2, 1.9), fix.format(4 * MIB)),
    ]
