"""What would stop or mislead capture is known before it begins, with its fix."""

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr
from typer.testing import CliRunner

from connectors.cdc import source_status
from connectors.cdc.registration import register_source
from connectors.cdc.removal import remove_source
from connectors.cdc.source_status import check_source
from connectors.errors import SourceNotReady
from connectors.postgres.connection import connect
from connectors.settings import PostgresSettings
from deployments.cli import app
from deployments.stack import postgres
from deployments.stack.ports import HOST, pick_ports
from tests.lake import differences, drain, registered_source, with_cdc


def blockers(settings):
    return {f.subject: f for f in check_source(settings) if f.severity == "blocker"}


def warnings(settings):
    return {f.subject: f for f in check_source(settings) if f.severity == "warning"}


@pytest.fixture
def source(settings):
    with connect(settings.postgres) as source:
        yield source


@pytest.mark.parametrize("kind", ["VIRTUAL", "STORED"])
def test_generated_column_under_full_identity(settings, source, kind):
    source.execute(f"CREATE TABLE t (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) {kind})")
    source.execute("ALTER TABLE t REPLICA IDENTITY FULL; INSERT INTO t VALUES (1); CREATE PUBLICATION p FOR TABLE t")
    fails = False
    try:
        source.execute("UPDATE t SET id = 2")
    except psycopg.Error:
        fails = True
    source.execute("DROP PUBLICATION p")
    found = blockers(settings)
    assert ("public.t" in found) is (kind == "VIRTUAL")
    if kind == "VIRTUAL":
        assert fails
        source.execute(found["public.t"].fix)
        assert blockers(settings) == {}


def test_two_tables_that_would_be_read_by_one_name(settings, source):
    source.execute('CREATE TABLE orders (id int PRIMARY KEY); CREATE TABLE "Orders" (id int PRIMARY KEY)')
    source.execute("CREATE SCHEMA sales; CREATE TABLE sales.items (id int PRIMARY KEY)")
    source.execute("CREATE TABLE sales__items (id int PRIMARY KEY)")
    found = blockers(settings)
    assert {subject: "no view of the lake could be opened" in f.problem for subject, f in found.items()} == {
        "public.orders": True,
        "sales.items": True,
    }
    assert blockers(with_cdc(settings, tables=("*.*", "!public.Orders", "!public.sales__items"))) == {}


def test_transaction_that_will_block_the_slot(settings, source, monkeypatch):
    monkeypatch.setattr(source_status, "_LONG_TRANSACTION_SECONDS", 0)
    source.execute("CREATE TABLE t (id int PRIMARY KEY)")
    with connect(settings.postgres) as other, other.transaction():
        other.execute("INSERT INTO t VALUES (1)")
        pid = other.info.backend_pid
        [found] = [f for subject, f in warnings(settings).items() if f"pid {pid}" in subject]
        assert f"in {settings.postgres.database}" in found.subject
        assert found.advice == f"wait, or end it: SELECT pg_terminate_backend({pid});"
        assert found.sql == ""  # nobody ends a transaction by a pipe


def test_limits_that_a_role_has_do_not_end_our_connections(settings, source):
    role = sql.Identifier(f"limited_{settings.cdc.source}")
    source.execute(sql.SQL("CREATE ROLE {} SUPERUSER REPLICATION LOGIN PASSWORD 'secret'").format(role))
    for name, value in {"statement_timeout": "1ms", "default_transaction_read_only": "on"}.items():
        source.execute(sql.SQL("ALTER ROLE {} SET {} = {}").format(role, sql.SQL(name), sql.Literal(value)))
    source.execute(sql.SQL("ALTER ROLE {} SET wal_sender_timeout = '5s'").format(role))
    postgres = settings.postgres.model_copy(
        update={"user": f"limited_{settings.cdc.source}", "password": SecretStr("secret")}
    )
    own = settings.model_copy(update={"postgres": postgres})
    try:
        assert "10 s" in warnings(own)["wal_sender_timeout"].problem
        rows = "INSERT INTO t SELECT generate_series(1, 20000)"
        with registered_source(own, f"CREATE TABLE t (id int PRIMARY KEY); {rows}") as limited:
            limited.execute("UPDATE t SET id = -id")
            drain(own, limited)
            assert differences(own) == {}
        assert len(remove_source(own, dry_run=False)) == 3
        assert remove_source(own) == []
    finally:
        source.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(role))


def test_configuration_that_connect_can_not_keep(settings, source, monkeypatch):
    source.execute("CREATE TABLE t (id int PRIMARY KEY)")
    assert blockers(settings) == {}
    monkeypatch.setattr(source_status, "_LARGEST_CONFIG", 1_000)
    [found] = blockers(settings).values()
    assert "LAKEHOUSE_CDC__SOURCE" in found.fix


@pytest.mark.parametrize("name", ["crm+eu", "50%off", "x?y"])
def test_database_whose_name_an_address_misreads(settings, source, name):
    source.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        own = of_database(settings, name)
        with connect(own.postgres) as other:
            other.execute("CREATE TABLE t (id int PRIMARY KEY)")
        assert "would log into another database" in blockers(own)[f"database {name}"].problem
    finally:
        source.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


def test_database_without_an_encoding_is_told_and_raises_nothing_else(settings, source):
    name = f"ascii_{settings.cdc.source}"
    create = "CREATE DATABASE {} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"
    source.execute(sql.SQL(create).format(sql.Identifier(name)))
    try:
        own = of_database(settings, name)
        with connect(own.postgres) as other:
            other.execute("CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'plain')")
        assert "SQL_ASCII" in blockers(own)[f"database {name}"].problem
        with pytest.raises(SourceNotReady, match="SQL_ASCII"):
            register_source(own)
    finally:
        source.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


def of_database(settings, name):
    postgres: PostgresSettings = settings.postgres.model_copy(update={"database": name})
    return settings.model_copy(update={"postgres": postgres})


def test_every_table_that_is_left_out_is_named_with_the_reason(settings, source):
    source.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE UNLOGGED TABLE u (id int PRIMARY KEY)")
    source.execute("CREATE SCHEMA other; CREATE TABLE other.o (id int PRIMARY KEY)")
    source.execute("CREATE TABLE secret (id int PRIMARY KEY); CREATE VIEW v AS SELECT * FROM t")
    own = with_cdc(settings, tables=("public.*", "!public.secret"))
    notes = {f.subject: f.problem for f in check_source(own) if f.severity == "note"}
    assert notes == {
        "public.u": "is left out: it is unlogged, so its changes are in no log",
        "public.secret": "is left out: a pattern with `!` excludes it",  # pragma: allowlist secret
        "other.o": "is left out: no pattern means it",
    }


def test_fixes_come_as_sql_command_or_words_of_their_own(settings, source, environment):
    source.execute("CREATE TABLE k (a int); CREATE TABLE n (id int PRIMARY KEY)")
    source.execute("ALTER TABLE n REPLICA IDENTITY NOTHING")
    facts = {f.subject: f.as_facts() for f in check_source(settings)}
    assert facts["public.k"]["sql"] == 'ALTER TABLE "public"."k" ADD PRIMARY KEY (...);'
    assert facts["public.k"]["advice"] == 'or: ALTER TABLE "public"."k" REPLICA IDENTITY FULL;'
    piped = CliRunner().invoke(app, ["source", "check", "--sql"])
    assert piped.exit_code == 1
    assert '-- ALTER TABLE "public"."k" ADD PRIMARY KEY (...);' in piped.stdout.splitlines()
    source.execute(piped.stdout.replace("ALTER SYSTEM", "-- ALTER SYSTEM"))
    assert set(blockers(settings)) == {"public.k"}


def test_server_that_is_not_set_up_for_streaming(settings, tmp_path, monkeypatch):
    for name, value in {"wal_level": "replica", "max_replication_slots": "0", "max_wal_senders": "0"}.items():
        monkeypatch.setitem(postgres.OPTIONS, name, value)
    server = postgres.PostgresService(tmp_path / "postgres", port=pick_ports(["postgres"])["postgres"])
    try:
        server.start()
        server.wait_ready()
        own = PostgresSettings(
            host=HOST, port=server.port, user=postgres.ADMIN, password=server.password, database="postgres"
        )
        other = settings.model_copy(update={"postgres": own})
        found = {finding.subject: (finding.severity, finding.sql) for finding in check_source(other) if finding.sql}
        assert found == {
            "wal_level": ("blocker", "ALTER SYSTEM SET wal_level = 'logical';"),
            "max_replication_slots": ("blocker", "ALTER SYSTEM SET max_replication_slots = 5;"),
            "max_wal_senders": ("blocker", "ALTER SYSTEM SET max_wal_senders = 5;"),
        }
        with pytest.raises(SourceNotReady, match="wal_level is 'replica': the log does not hold row changes"):
            register_source(other)
    finally:
        server.stop()
        server.delete_data()
