"""What is read from a real catalogue, and whether the fixes of findings fix."""

import pytest

from connectors.errors import ConfigurationError
from connectors.postgres.catalog import list_tables, read_contracts, read_tables
from connectors.postgres.checks import check_server, check_tables
from connectors.postgres.connection import Connection, connect
from connectors.postgres.contracts import ColumnContract
from connectors.postgres.identifiers import TableName, quote_identifier
from connectors.postgres.replication import (
    current_lsn,
    emit_marker,
    ensure_publication,
    published_tables,
    read_identity,
)
from connectors.settings import PostgresSettings

TYPES = """
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TYPE date AS (year int);
    CREATE DOMAIN price AS numeric(10, 2);
    CREATE DOMAIN fee AS price NOT NULL;
    CREATE TABLE types (
        "Key" text, id int, plain numeric, whole numeric(10), thousands numeric(5, -3), tiny numeric(3, 5), cost fee,
        feeling mood, feelings mood[], own public.date, at timestamp(3), at_zone timestamptz, clock time(0),
        name varchar(9), numbers int[], flat text, doubled int GENERATED ALWAYS AS (id * 2) STORED,
        gone int, PRIMARY KEY (id, "Key") INCLUDE (name)
    );
    ALTER TABLE types ALTER flat SET STORAGE PLAIN;
    ALTER TABLE types DROP gone;
"""

WEIRD = [
    TableName("select", "order"),
    TableName("A b", "Orders"),
    TableName("A b", "orders"),
    TableName('q"s', "a.b"),
    TableName("ü", " \n%'\\"),
]


def test_types_are_resolved_to_what_travels(database: PostgresSettings) -> None:
    with connect(database) as connection:
        connection.execute(TYPES)
        (contract,) = read_contracts(connection, [TableName("public", "types")])
    assert contract.key == ("id", "Key")
    assert contract.replica_identity == "default"
    assert [column.number for column in contract.columns] == list(range(1, 18))
    assert tuple(column.model_copy(update={"number": 0}) for column in contract.columns) == (
        ColumnContract(name="Key", type_name="text", nullable=False, toastable=True),
        ColumnContract(name="id", type_name="int4", nullable=False),
        ColumnContract(name="plain", type_name="numeric", toastable=True),
        ColumnContract(name="whole", type_name="numeric", precision=10, scale=0, toastable=True),
        ColumnContract(name="thousands", type_name="numeric", precision=5, scale=-3, toastable=True),
        ColumnContract(name="tiny", type_name="numeric", precision=3, scale=5, toastable=True),
        ColumnContract(name="cost", type_name="numeric", domain=True, precision=10, scale=2, toastable=True),
        ColumnContract(name="feeling", type_name="enum"),
        ColumnContract(name="feelings", type_name="_enum", toastable=True),
        ColumnContract(name="own", type_name="composite", toastable=True),
        ColumnContract(name="at", type_name="timestamp", precision=3),
        ColumnContract(name="at_zone", type_name="timestamptz"),
        ColumnContract(name="clock", type_name="time", precision=0),
        ColumnContract(name="name", type_name="varchar", toastable=True),
        ColumnContract(name="numbers", type_name="_int4", toastable=True),
        ColumnContract(name="flat", type_name="text", toastable=False),
        ColumnContract(name="doubled", type_name="int4"),
    )


def test_the_key_is_the_one_that_identifies_a_row(database: PostgresSettings) -> None:
    with connect(database) as connection:
        connection.execute("""
            CREATE TABLE by_index (id int PRIMARY KEY, a int NOT NULL, b int NOT NULL);
            CREATE UNIQUE INDEX by_index_key ON by_index (b, a);
            ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_key;
            CREATE TABLE keyless (a int UNIQUE);
            ALTER TABLE keyless REPLICA IDENTITY FULL;
            CREATE TABLE later (a int PRIMARY KEY DEFERRABLE);
            ALTER TABLE later REPLICA IDENTITY FULL;
        """)
        tables = read_tables(connection, list_tables(connection))
    assert [(t.contract.key, t.contract.replica_identity, t.unidentified) for t in tables] == [
        (("b", "a"), "index", ()),
        ((), "full", ()),
        ((), "full", ()),
    ]


def test_commands_on_a_single_partition_are_not_published(database: PostgresSettings) -> None:
    with connect(database) as connection:
        connection.execute("""
            CREATE TABLE whole (id int PRIMARY KEY) PARTITION BY RANGE (id);
            CREATE TABLE low PARTITION OF whole FOR VALUES FROM (0) TO (10);
            CREATE TABLE high PARTITION OF whole FOR VALUES FROM (10) TO (20);
            CREATE TABLE other (id int PRIMARY KEY);
        """)
        ensure_publication(connection, "probe", [TableName("public", "whole")])
        connection.execute(
            "SELECT pg_create_logical_replication_slot('probe_partitions', 'pgoutput', temporary => true)"
        )
        # Begin, commit and relation are not of interest: insert, delete and truncate are.
        assert _published(connection, "INSERT INTO whole VALUES (1), (11)") == ["I", "I"]
        assert _published(connection, "INSERT INTO low VALUES (2)") == ["I"]
        assert _published(connection, "TRUNCATE low") == []
        assert _published(connection, "ALTER TABLE whole DETACH PARTITION high") == []
        assert _published(connection, "INSERT INTO high VALUES (12)") == []
        assert _published(connection, "ALTER TABLE whole ATTACH PARTITION high FOR VALUES FROM (10) TO (20)") == []
        assert _published(connection, "DELETE FROM high WHERE id = 12") == ["D"]
        assert _published(connection, "DROP TABLE high") == []
        assert _published(connection, "TRUNCATE whole") == ["T"]
        (table,) = read_tables(connection, [TableName("public", "whole")])
        (finding,) = check_tables([table], role="me")
        assert "is partitioned" in finding.problem


def _published(connection: Connection, statement: str) -> list[str]:
    """Kinds of change that the publication sends of a statement."""
    connection.execute(statement)
    changes = connection.execute(
        "SELECT chr(get_byte(data, 0)) FROM pg_logical_slot_get_binary_changes("
        "'probe_partitions', NULL, NULL, 'proto_version', '1', 'publication_names', 'probe')"
    )
    return [kind for (kind,) in changes if kind in "IUDT"]


@pytest.mark.parametrize(
    "ddl",
    [
        "CREATE TABLE t (a int)",
        "CREATE TABLE t (a int PRIMARY KEY); ALTER TABLE t REPLICA IDENTITY NOTHING",
        "CREATE TABLE t (a int PRIMARY KEY DEFERRABLE)",
        "CREATE TABLE t (a int NOT NULL); CREATE UNIQUE INDEX i ON t (a); "
        "ALTER TABLE t REPLICA IDENTITY USING INDEX i; DROP INDEX i",
        "CREATE TABLE t (a int) PARTITION BY RANGE (a); CREATE TABLE p PARTITION OF t DEFAULT; "
        "ALTER TABLE t REPLICA IDENTITY FULL",
    ],
    ids=["no key", "nothing", "deferrable key", "dropped index", "partitions without"],
)
def test_a_table_whose_updates_would_fail_is_found(database: PostgresSettings, ddl: str) -> None:
    with connect(database) as connection:
        connection.execute(ddl)
        (table,) = read_tables(connection, list_tables(connection))
        assert table.unidentified
        connection.execute("INSERT INTO t VALUES (1)")
        ensure_publication(connection, "probe", [table.contract.table])
        with pytest.raises(Exception, match="does not have a replica identity"):
            connection.execute("UPDATE t SET a = 2")
        connection.execute("DROP PUBLICATION probe")


def test_partitions_that_are_identified_otherwise_are_named(database: PostgresSettings) -> None:
    with connect(database) as connection:
        connection.execute("""
            CREATE SCHEMA parts;
            CREATE TABLE t (a int PRIMARY KEY) PARTITION BY RANGE (a);
            CREATE TABLE parts."of May" PARTITION OF t FOR VALUES FROM (1) TO (5) PARTITION BY RANGE (a);
            CREATE TABLE parts.early PARTITION OF parts."of May" FOR VALUES FROM (1) TO (2);
            CREATE TABLE parts.late PARTITION OF parts."of May" FOR VALUES FROM (2) TO (5);
            CREATE TABLE p PARTITION OF t FOR VALUES FROM (5) TO (9);
            ALTER TABLE parts.late REPLICA IDENTITY NOTHING;
            ALTER TABLE p REPLICA IDENTITY FULL;
        """)
        (table,) = read_tables(connection, list_tables(connection))
        blockers = [f for f in check_tables([table], role="me") if f.severity == "blocker"]
        assert [f.subject for f in blockers] == ["parts.late", "public.p"]
        for finding in blockers:
            connection.execute(finding.sql)
        (table,) = read_tables(connection, list_tables(connection))
        assert table.unidentified == ()


def test_only_tables_that_can_be_captured_are_listed(database: PostgresSettings) -> None:
    with connect(database) as connection:
        connection.execute("""
            CREATE TABLE plain (id int PRIMARY KEY);
            CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY);
            CREATE TEMP TABLE temporary (id int PRIMARY KEY);
            CREATE VIEW seen AS SELECT 1 AS id;
            CREATE MATERIALIZED VIEW kept AS SELECT 1 AS id;
            CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
            CREATE TABLE part PARTITION OF parted DEFAULT;
        """)
        assert list_tables(connection) == [TableName("public", "parted"), TableName("public", "plain")]


def test_weird_names_go_through_catalogue_and_publication(database: PostgresSettings) -> None:
    with connect(database) as connection:
        for table in WEIRD:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_identifier(table.schema)}")
            connection.execute(f'CREATE TABLE {table.quoted} ("a ""b""" int PRIMARY KEY, "from" text)')
        found = list_tables(connection)
        assert found == sorted(WEIRD)
        assert all(contract.key == ('a "b"',) for contract in read_contracts(connection, found))
        assert ensure_publication(connection, "weird", found)
        assert not ensure_publication(connection, "weird", found)
        assert published_tables(connection, "weird") == sorted(WEIRD)
        assert ensure_publication(connection, "weird", found[1:])
        assert published_tables(connection, "weird") == sorted(WEIRD)[1:]


def test_a_parent_of_other_tables_and_row_security_are_found(database: PostgresSettings) -> None:
    with connect(database) as connection:
        connection.execute("CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child () INHERITS (parent)")
        connection.execute("ALTER TABLE parent ENABLE ROW LEVEL SECURITY")
        (parent,) = read_tables(connection, [TableName("public", "parent")])
        assert (parent.has_children, parent.filtered) == (True, False)
        connection.execute("CREATE ROLE stranger; SET ROLE stranger")
        (parent,) = read_tables(connection, [TableName("public", "parent")])
        connection.execute("RESET ROLE; DROP ROLE stranger")
        assert (parent.readable, parent.owned, parent.filtered) == (False, False, True)


def test_the_cures_for_a_user_without_rights_cure(database: PostgresSettings) -> None:
    role = 'the "capturer"'
    weak = database.model_copy(update={"user": role})
    assert database.password is not None
    with connect(database) as admin:
        admin.execute("CREATE SCHEMA private; CREATE TABLE private.t (id int PRIMARY KEY)")
        secret = database.password.get_secret_value()
        admin.execute(f"CREATE ROLE {quote_identifier(role)} LOGIN PASSWORD '{secret}'")
        try:
            for _ in range(2):
                with connect(weak) as connection:
                    tables = read_tables(connection, list_tables(connection))
                    findings = [*check_server(connection, None), *check_tables(tables, role=role)]
                fixes = [finding.fix for finding in findings if finding.severity == "blocker"]
                for fix in fixes:
                    admin.execute(fix)
            assert fixes == []
            with connect(weak) as connection:
                assert read_identity(connection).timeline == 1
                assert ensure_publication(connection, "mine", [TableName("private", "t")])
        finally:
            admin.execute(f"REASSIGN OWNED BY {quote_identifier(role)} TO CURRENT_USER")
            admin.execute(f"DROP OWNED BY {quote_identifier(role)}; DROP ROLE {quote_identifier(role)}")


def test_a_right_that_is_missing_is_a_configuration_error(database: PostgresSettings) -> None:
    with connect(database) as admin:
        admin.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE ROLE nobody_much")
    with pytest.raises(ConfigurationError, match="lacks a right"), connect(database) as connection:
        connection.execute("SET ROLE nobody_much; SELECT * FROM t")
    with connect(database) as admin:
        admin.execute("DROP ROLE nobody_much")


def test_markers_rise_with_the_log(database: PostgresSettings) -> None:
    with connect(database) as connection:
        before = current_lsn(connection)
        first, second = emit_marker(connection, "a"), emit_marker(connection)
        assert before <= first < second <= current_lsn(connection)
