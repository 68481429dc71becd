"""Changes of a table's definition that no event carries, and how they are tried."""

import dataclasses
from contextlib import contextmanager

from connectors.cdc.registration import register_source
from connectors.cdc.sync import SyncReport, sync_source
from connectors.debezium.config import connector_name
from connectors.debezium.connect import ConnectClient
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import emit_marker
from connectors.settings import Settings
from tests.lake import differences
from tests.services import fresh_database, fresh_settings

KEYED = """
    CREATE TABLE {0} (id int PRIMARY KEY, n int, name text);
    INSERT INTO {0} SELECT n, n, 'name ' || n FROM generate_series(1, 6) n;
"""
KEYLESS = """
    CREATE TABLE {0} (n int, name text);
    ALTER TABLE {0} REPLICA IDENTITY FULL;
    INSERT INTO {0} SELECT n, 'name ' || n FROM generate_series(1, 6) n;
"""
PARTITIONED = """
    CREATE TABLE {0} (id int PRIMARY KEY, n int, name text) PARTITION BY RANGE (id);
    CREATE TABLE {0}_low PARTITION OF {0} FOR VALUES FROM (0) TO (4);
    CREATE TABLE {0}_high PARTITION OF {0} FOR VALUES FROM (4) TO (100);
    INSERT INTO {0} SELECT n, n, 'name ' || n FROM generate_series(1, 6) n;
"""
WRITE_BEFORE = "UPDATE {0} SET name = 'before' WHERE n = 1"
WRITE_AFTER = "UPDATE {0} SET name = 'after' WHERE name = 'name 2'"


def typed(kind, value, *, key=False):
    """A table with a column of some type, maybe as its key."""
    value_first = f"c {kind} PRIMARY KEY, id int" if key else f"id int PRIMARY KEY, c {kind}"
    return f"""
    CREATE TABLE {{0}} ({value_first}, n int, name text);
    INSERT INTO {{0}} (id, c, n, name) SELECT n, {value}, n, 'name ' || n FROM generate_series(1, 6) n;
"""


@dataclasses.dataclass(frozen=True)
class Case:
    """A change of one table: how it is made before, what is done to it, one statement per line, what comes of it."""

    ddl: str
    change: str
    outcome: str


CASES = {
    "default dropped again": Case(
        KEYED,
        """ALTER TABLE {0} ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid()
        ALTER TABLE {0} ALTER token DROP DEFAULT""",
        "resynced",
    ),
    "default of a domain": Case(
        KEYED,
        """CREATE DOMAIN {0}_d AS timestamptz DEFAULT clock_timestamp()
        ALTER TABLE {0} ADD COLUMN seen {0}_d""",
        "resynced",
    ),
    "constant of a domain": Case(
        KEYED, "CREATE DOMAIN {0}_d AS int DEFAULT 7\nALTER TABLE {0} ADD COLUMN seen {0}_d", "followed"
    ),
    "constant dropped again": Case(
        KEYED, "ALTER TABLE {0} ADD COLUMN c int NOT NULL DEFAULT 7\nALTER TABLE {0} ALTER c DROP DEFAULT", "followed"
    ),
    "constant dropped again on partitions": Case(
        PARTITIONED,
        "ALTER TABLE {0} ADD COLUMN c int NOT NULL DEFAULT 7\nALTER TABLE {0} ALTER c DROP DEFAULT",
        "followed",
    ),
    "default dropped again on partitions": Case(
        PARTITIONED,
        """ALTER TABLE {0} ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid()
        ALTER TABLE {0} ALTER token DROP DEFAULT""",
        "resynced",
    ),
    "constant before a partition came": Case(
        PARTITIONED,
        """ALTER TABLE {0} ADD COLUMN c int DEFAULT 7
        CREATE TABLE {0}_new PARTITION OF {0} FOR VALUES FROM (100) TO (200)""",
        "resynced",
    ),
    "constant of a table that nobody writes to": Case(
        KEYED, "ALTER TABLE {0} ADD COLUMN c int NOT NULL DEFAULT 7", "followed"
    ),
    "default set later": Case(
        KEYED, "ALTER TABLE {0} ADD COLUMN c int\nALTER TABLE {0} ALTER c SET DEFAULT 7", "followed"
    ),
    "constant, then rewritten": Case(
        KEYED, "ALTER TABLE {0} ADD COLUMN c int NOT NULL DEFAULT 7\nVACUUM FULL {0}", "resynced"
    ),
    "identity column": Case(KEYED, "ALTER TABLE {0} ADD COLUMN c int GENERATED ALWAYS AS IDENTITY", "resynced"),
    "generated column": Case(KEYED, "ALTER TABLE {0} ADD COLUMN c int GENERATED ALWAYS AS (n * 2) STORED", "resynced"),
    "expression changed": Case(
        """CREATE TABLE {0} (id int PRIMARY KEY, n int, name text, twice int GENERATED ALWAYS AS (n * 2) STORED);
        INSERT INTO {0} SELECT n, n, 'name ' || n FROM generate_series(1, 6) n""",
        "ALTER TABLE {0} ALTER twice SET EXPRESSION AS (n * 3)",
        "resynced",
    ),
    "expression dropped": Case(
        """CREATE TABLE {0} (id int PRIMARY KEY, n int, name text, twice int GENERATED ALWAYS AS (n * 2) STORED);
        INSERT INTO {0} SELECT n, n, 'name ' || n FROM generate_series(1, 6) n""",
        "ALTER TABLE {0} ALTER twice DROP EXPRESSION",
        "followed",
    ),
    "values multiplied": Case(KEYED, "ALTER TABLE {0} ALTER n TYPE bigint USING n * 1", "equal"),
    "values multiplied by 100": Case(
        typed("int", "n"), "ALTER TABLE {0} ALTER c TYPE bigint USING c * 100", "resynced"
    ),
    "time shortened": Case(
        typed("time", "time '01:02:03.123456' + n * interval '1 s'"),
        "ALTER TABLE {0} ALTER c TYPE time(4)",
        "resynced",
    ),
    "json made jsonb": Case(
        typed("json", """'{{"b": 1,  "a": ' || n || '}}')::json""".replace("'{{", "('{{")),
        "ALTER TABLE {0} ALTER c TYPE jsonb",
        "resynced",
    ),
    "padded key made text": Case(
        typed("char(5)", "'k' || n", key=True), "ALTER TABLE {0} ALTER c TYPE text", "resynced"
    ),
    "text key made a number": Case(
        typed("text", "'0' || n", key=True), "ALTER TABLE {0} ALTER c TYPE int USING c::int", "resynced"
    ),
    "network made an address": Case(
        typed("cidr", "('10.0.0.' || n)::cidr"), "ALTER TABLE {0} ALTER c TYPE inet", "resynced"
    ),
    "varchar widened": Case(typed("varchar(20)", "'v' || n"), "ALTER TABLE {0} ALTER c TYPE varchar(40)", "followed"),
    "number made an oid": Case(typed("int", "-n"), "ALTER TABLE {0} ALTER c TYPE oid", "resynced"),
    "changed and changed back": Case(
        typed("int", "n"),
        "ALTER TABLE {0} ALTER c TYPE bigint\nALTER TABLE {0} ALTER c TYPE int",
        "equal",
    ),
    "changed and not changed back": Case(
        typed("int", "n"),
        "ALTER TABLE {0} ALTER c TYPE text USING c || '0'\nALTER TABLE {0} ALTER c TYPE int USING c::int",
        "resynced",
    ),
    "label renamed": Case(
        "CREATE TYPE {0}_mood AS ENUM ('sad', 'ok');" + typed("{0}_mood", "'ok'::{0}_mood"),
        "ALTER TYPE {0}_mood RENAME VALUE 'ok' TO 'fine'",
        "resynced",
    ),
    "label renamed and renamed back": Case(
        "CREATE TYPE {0}_mood AS ENUM ('sad', 'ok');" + typed("{0}_mood", "'ok'::{0}_mood"),
        """ALTER TYPE {0}_mood RENAME VALUE 'ok' TO 'fine'
        ALTER TYPE {0}_mood RENAME VALUE 'fine' TO 'ok'""",
        "equal",
    ),
    "label renamed within an array": Case(
        "CREATE TYPE {0}_mood AS ENUM ('sad', 'ok');"
        + typed("{0}_mood[]", "ARRAY['ok']::{0}_mood[]")
        + "ALTER TABLE {0} ALTER c SET STORAGE PLAIN",
        "ALTER TYPE {0}_mood RENAME VALUE 'ok' TO 'fine'",
        "resynced",
    ),
    "label added": Case(
        "CREATE TYPE {0}_mood AS ENUM ('sad', 'ok');" + typed("{0}_mood", "'ok'::{0}_mood"),
        "ALTER TYPE {0}_mood ADD VALUE 'glad' BEFORE 'ok'",
        "followed",
    ),
    "attribute added": Case(
        "CREATE TYPE {0}_pair AS (a int, b text);" + typed("{0}_pair", "(n, 'b')::{0}_pair"),
        "ALTER TYPE {0}_pair ADD ATTRIBUTE c int",
        "resynced",
    ),
    "attribute dropped": Case(
        "CREATE TYPE {0}_pair AS (a int, b text);" + typed("{0}_pair", "(n, 'b')::{0}_pair"),
        "ALTER TYPE {0}_pair DROP ATTRIBUTE b",
        "resynced",
    ),
    "attribute renamed": Case(
        "CREATE TYPE {0}_pair AS (a int, b text);" + typed("{0}_pair", "(n, 'b')::{0}_pair"),
        "ALTER TYPE {0}_pair RENAME ATTRIBUTE b TO c",
        "equal",
    ),
    "enum exchanged": Case(
        "CREATE TYPE {0}_old AS ENUM ('paid', 'open');" + typed("{0}_old", "'paid'::{0}_old"),
        """CREATE TYPE {0}_new AS ENUM ('paid', 'open', 'gone')
        ALTER TABLE {0} ALTER c TYPE {0}_new USING c::text::{0}_new
        DROP TYPE {0}_old""",
        "settled",
    ),
    "enum exchanged in the key": Case(
        "CREATE TYPE {0}_old AS ENUM ('a1', 'a2', 'a3', 'a4', 'a5', 'a6');"
        + typed("{0}_old", "('a' || n)::{0}_old", key=True),
        """CREATE TYPE {0}_new AS ENUM ('a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7')
        ALTER TABLE {0} ALTER c TYPE {0}_new USING c::text::{0}_new
        DROP TYPE {0}_old""",
        "settled",
    ),
    "domain altered": Case(
        "CREATE DOMAIN {0}_d AS int DEFAULT 1;" + typed("{0}_d", "n"),
        "ALTER DOMAIN {0}_d SET DEFAULT 2\nALTER DOMAIN {0}_d ADD CHECK (VALUE > 0)",
        "nothing",
    ),
    "rewritten, with the values kept": Case(KEYED, "VACUUM FULL {0}", "equal"),
    "clustered": Case(KEYED, "CLUSTER {0} USING {0}_pkey", "equal"),
    "truncated": Case(KEYED, "TRUNCATE {0}\nINSERT INTO {0} VALUES (2, 2, 'name 2')", "equal"),
    "renamed and renamed back, with a column added": Case(
        KEYED,
        """ALTER TABLE {0} RENAME TO {0}_other
        UPDATE {0}_other SET name = 'while it was away' WHERE id = 3
        ALTER TABLE {0}_other RENAME TO {0}
        ALTER TABLE {0} ADD COLUMN c int""",
        "settled",
    ),
    "identity by another index for a while": Case(
        KEYLESS + "ALTER TABLE {0} ALTER n SET NOT NULL; CREATE UNIQUE INDEX {0}_n ON {0} (n)",
        """ALTER TABLE {0} REPLICA IDENTITY USING INDEX {0}_n
        DELETE FROM {0} WHERE n = 3
        ALTER TABLE {0} REPLICA IDENTITY FULL""",
        "paused",
    ),
    "renamed and renamed back": Case(
        KEYED,
        """ALTER TABLE {0} RENAME TO {0}_other
        UPDATE {0}_other SET name = 'while it was away' WHERE id = 3
        ALTER TABLE {0}_other RENAME TO {0}""",
        "settled",
    ),
    "moved to another schema and back": Case(
        KEYED,
        """ALTER TABLE {0} SET SCHEMA away
        DELETE FROM away.{0} WHERE id = 3
        ALTER TABLE away.{0} SET SCHEMA public""",
        "settled",
    ),
    "column renamed and renamed back": Case(
        KEYED,
        """ALTER TABLE {0} RENAME name TO title
        UPDATE {0} SET title = 'while it was away' WHERE id = 3
        ALTER TABLE {0} RENAME title TO name""",
        "resynced",
    ),
    "column renamed": Case(KEYED, "ALTER TABLE {0} RENAME n TO m", "resynced"),
    "column recreated": Case(KEYED, "ALTER TABLE {0} DROP n, ADD n int DEFAULT 7", "resynced"),
    "column dropped": Case(KEYED, "ALTER TABLE {0} DROP n", "followed"),
    "column came and went": Case(
        KEYED,
        """ALTER TABLE {0} ADD m int
        UPDATE {0} SET m = 1 WHERE id = 3
        ALTER TABLE {0} DROP m""",
        "resynced",
    ),
    "type changed": Case(KEYED, "ALTER TABLE {0} ALTER n TYPE text", "resynced"),
    "NOT NULL set": Case(KEYED, "ALTER TABLE {0} ALTER n SET NOT NULL", "followed"),
    "default set": Case(KEYED, "ALTER TABLE {0} ALTER n SET DEFAULT 7", "followed"),
    "key changed": Case(KEYED, "ALTER TABLE {0} DROP CONSTRAINT {0}_pkey, ADD PRIMARY KEY (n)", "resynced"),
    "identity added": Case(KEYED, "ALTER TABLE {0} ALTER id ADD GENERATED BY DEFAULT AS IDENTITY", "equal"),
    "compression set": Case(KEYED, "ALTER TABLE {0} ALTER name SET COMPRESSION pglz", "equal"),
    "column options set": Case(KEYED, "ALTER TABLE {0} ALTER name SET (n_distinct = 5)", "equal"),
    "constraint renamed": Case(KEYED, "ALTER TABLE {0} RENAME CONSTRAINT {0}_pkey TO {0}_key", "nothing"),
    "constraint dropped": Case(
        KEYED + "ALTER TABLE {0} ADD CONSTRAINT positive CHECK (id > 0)",
        "ALTER TABLE {0} DROP CONSTRAINT positive",
        "nothing",
    ),
    "foreign key added": Case(KEYED, "ALTER TABLE {0} ADD FOREIGN KEY (n) REFERENCES {0}", "nothing"),
    "triggers disabled": Case(KEYED, "ALTER TABLE {0} DISABLE TRIGGER ALL", "nothing"),
    "row security enabled": Case(KEYED, "ALTER TABLE {0} ENABLE ROW LEVEL SECURITY", "nothing"),
    "clustered on": Case(KEYED, "ALTER TABLE {0} CLUSTER ON {0}_pkey", "equal"),
    "access method set": Case(KEYED, "ALTER TABLE {0} SET ACCESS METHOD heap", "nothing"),
    "storage parameters set": Case(KEYED, "ALTER TABLE {0} SET (fillfactor = 90)", "nothing"),
    "owner changed": Case(KEYED, "ALTER TABLE {0} OWNER TO pg_monitor", "equal"),
    "inherited from": Case(
        KEYED,
        "CREATE TABLE {0}_child () INHERITS ({0})\nINSERT INTO {0}_child VALUES (90, 90, 'of the child')",
        "paused",
    ),
    "made one of a type": Case(
        KEYED, "CREATE TYPE {0}_row AS (id int, n int, name text)\nALTER TABLE {0} OF {0}_row", "nothing"
    ),
    "type renamed": Case(
        "CREATE TYPE {0}_mood AS ENUM ('sad', 'ok');" + typed("{0}_mood", "'ok'::{0}_mood"),
        "ALTER TYPE {0}_mood RENAME TO {0}_feeling\nALTER TYPE {0}_feeling SET SCHEMA away",
        "nothing",
    ),
    "commented": Case(KEYED, "COMMENT ON TABLE {0} IS 'a table'\nCOMMENT ON COLUMN {0}.n IS 'a column'", "nothing"),
    "privileges granted": Case(KEYED, "GRANT SELECT ON {0} TO pg_monitor", "nothing"),
    "constraint added": Case(KEYED, "ALTER TABLE {0} ADD CHECK (id > 0)", "nothing"),
    "index added": Case(KEYED, "CREATE INDEX ON {0} (n)", "nothing"),
    "analyzed": Case(KEYED, "ANALYZE {0}\nVACUUM {0}", "nothing"),
    "storage changed": Case(KEYED, "ALTER TABLE {0} ALTER name SET STORAGE EXTERNAL", "equal"),
    "statistics target": Case(KEYED, "ALTER TABLE {0} ALTER name SET STATISTICS 500", "equal"),
    "identity made full": Case(KEYED, "ALTER TABLE {0} REPLICA IDENTITY FULL", "equal"),
    "identity full for a while": Case(
        KEYED,
        """ALTER TABLE {0} REPLICA IDENTITY FULL
        UPDATE {0} SET n = 30 WHERE id = 3
        ALTER TABLE {0} REPLICA IDENTITY DEFAULT""",
        "nothing",
    ),
    "partition attached with rows": Case(
        PARTITIONED,
        """CREATE TABLE {0}_new (LIKE {0} INCLUDING ALL)
        INSERT INTO {0}_new VALUES (150, 150, 'attached')
        ALTER TABLE {0} ATTACH PARTITION {0}_new FOR VALUES FROM (100) TO (200)""",
        "resynced",
    ),
    "empty partition made": Case(
        PARTITIONED,
        """CREATE TABLE {0}_new PARTITION OF {0} FOR VALUES FROM (100) TO (200)
        INSERT INTO {0} VALUES (150, 150, 'in the new one')""",
        "followed",
    ),
    "partition loaded and attached in one transaction": Case(
        PARTITIONED,
        "BEGIN; CREATE TABLE {0}_new (LIKE {0}); SAVEPOINT s; INSERT INTO {0}_new VALUES (150, 150, 'loaded'); "
        "RELEASE s; ALTER TABLE {0} ATTACH PARTITION {0}_new FOR VALUES FROM (100) TO (200); COMMIT",
        "resynced",
    ),
    "partition came without an identity": Case(
        PARTITIONED.replace("PRIMARY KEY", "") + "ALTER TABLE {0} REPLICA IDENTITY FULL;"
        "ALTER TABLE {0}_low REPLICA IDENTITY FULL; ALTER TABLE {0}_high REPLICA IDENTITY FULL",
        """CREATE TABLE {0}_new PARTITION OF {0} FOR VALUES FROM (100) TO (200)
        INSERT INTO {0} VALUES (150, 150, 'in the new one'), (151, 151, 'in the new one')
        ALTER TABLE {0}_new REPLICA IDENTITY FULL
        DELETE FROM {0} WHERE id = 151""",
        "equal",
    ),
    "partition detached": Case(PARTITIONED, "ALTER TABLE {0} DETACH PARTITION {0}_high", "resynced"),
    "partition dropped": Case(PARTITIONED, "DROP TABLE {0}_high", "resynced"),
    "partition detached and attached": Case(
        PARTITIONED,
        """ALTER TABLE {0} DETACH PARTITION {0}_high
        UPDATE {0}_high SET n = 50 WHERE id = 5
        ALTER TABLE {0} ATTACH PARTITION {0}_high FOR VALUES FROM (4) TO (100)""",
        "resynced",
    ),
    "partition truncated": Case(PARTITIONED, "TRUNCATE {0}_high", "resynced"),
    "without key, rewritten": Case(KEYLESS, "VACUUM FULL {0}", "equal"),
    "without key, read as before": Case(KEYLESS, "ALTER TABLE {0} ALTER name TYPE varchar(90)", "equal"),
    "without key, a column dropped": Case(
        KEYLESS + "ALTER TABLE {0} ADD extra text; UPDATE {0} SET extra = 'x' || n",
        "ALTER TABLE {0} DROP COLUMN extra\nDELETE FROM {0} WHERE n IN (3, 4)",
        "followed",
    ),
    "without key, a zero below zero": Case(
        KEYLESS + "ALTER TABLE {0} ADD c float8 DEFAULT 0",
        "UPDATE {0} SET c = '-0' WHERE n = 3",
        "nothing",
    ),
    "without key, values changed": Case(KEYLESS, "ALTER TABLE {0} ALTER n TYPE bigint USING n * 100", "paused"),
}


@contextmanager
def behind(settings):
    """Changes that Debezium meets only when they all are made."""
    name = connector_name(settings.cdc.source)
    with ConnectClient(settings.connect.url) as client:
        client.stop(name)
        yield
        client.resume(name)


@contextmanager
def at_once(_settings):
    """Changes that Debezium meets as they are made."""
    yield


@dataclasses.dataclass(frozen=True)
class Tried:
    """What came of changes, each of a table of its own, with rows written right before and after, all in one drain.

    Attributes:
        settings: The source and the lake.
        tables: The table of each case.
        report: What the drain came to.
        differing: Keys that differ from the source, by table.
    """

    settings: Settings
    tables: dict[str, TableName]
    report: SyncReport
    differing: dict[str, tuple[str, ...]]

    def require_as_expected(self, name):
        """Fails where a case came to something else."""
        table, expected = self.tables[name], CASES[name].outcome
        settled = [s for s in self.report.resolved if s.table == table]
        print(name, settled, self.report.outcomes.get(table))
        checked = self.report.checked
        known = {"paused": checked.paused, "followed": checked.followed}
        unsettled = next((outcome for outcome, tables in known.items() if table in tables), "nothing")
        outcome = next((s.outcome for s in settled), unsettled)
        assert outcome in (("equal", "resynced") if expected == "settled" else (expected,))
        assert (table in checked.paused) is (expected == "paused")
        assert (str(table) in self.differing) is (expected == "paused")


@contextmanager
def tried(services, root, names, *, when=behind):
    """Makes the changes of some cases."""
    tables = {name: TableName("public", f"t{n}") for n, name in enumerate(names)}
    with (
        fresh_database(services) as database,
        fresh_settings(services, database, root) as settings,
        connect(database) as connection,
    ):
        connection.execute("CREATE SCHEMA away")
        for name, table in tables.items():
            connection.execute(CASES[name].ddl.format(table.name))
        register_source(settings)
        report = sync_source(settings, through_lsn=emit_marker(connection))
        assert (report.resolved, report.checked.paused) == ([], {})
        with when(settings):
            for name, table in tables.items():
                is_written = "nobody writes" not in name
                if is_written:
                    connection.execute(WRITE_BEFORE.format(table.name))
                for statement in CASES[name].change.splitlines():
                    connection.execute(statement.format(table.name))
                if is_written:
                    connection.execute(WRITE_AFTER.format(table.name))
        report = sync_source(settings, through_lsn=emit_marker(connection))
        yield Tried(settings, tables, report, differences(settings))
