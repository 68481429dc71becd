"""The connector's configuration: names, escaping, secrets."""

import re

import pytest

from connectors.debezium.config import connector_config, topic_name
from connectors.debezium.connect import first_cause, snapshot_done
from connectors.debezium.placeholder import recognisable, written
from connectors.errors import ConfigurationError
from connectors.postgres.catalog import CatalogTable, decode_modifier
from connectors.postgres.contracts import ColumnContract, ReplicaIdentity, TableContract
from connectors.postgres.identifiers import TableName
from connectors.postgres.lsn import format_lsn, parse_lsn
from connectors.settings import PostgresSettings, Settings

SETTINGS = Settings(postgres=PostgresSettings.model_validate({"host": "127.0.0.1", "password": "hunter2"}))


def table(
    name: str,
    *columns: ColumnContract,
    key: tuple[str, ...] = ("id",),
    identity: ReplicaIdentity = "default",
    unpublished: tuple[str, ...] = (),
) -> CatalogTable:
    contract = TableContract(schema_name="public", table_name=name, columns=columns, key=key, replica_identity=identity)
    return CatalogTable(
        contract=contract,
        unidentified=(),
        partitioned=False,
        has_children=False,
        readable=True,
        owned=True,
        filtered=False,
        unpublished=unpublished,
        nested=(),
        defaulted=(),
    )


def config(*tables: CatalogTable) -> dict[str, str]:
    return connector_config(SETTINGS, tables, epoch=3, placeholder="gone")


def as_python_regex(java: str) -> re.Pattern[str]:
    plain = re.sub(r"\\x\{([0-9a-f]+)\}", lambda code: re.escape(chr(int(code[1], 16))), java.removeprefix("(?-i)"))
    return re.compile(plain)


@pytest.mark.parametrize("name", ["orders", "Orders", "a,b", "a;b:c", "a.b", 'q"q', "ä*(x)[1]{2}|$^\\", " ", "日本"])
def test_the_include_list_means_exactly_the_table(name: str) -> None:
    listed = config(table(name))["table.include.list"]
    assert listed.startswith("(?-i)")
    assert not set(listed) & set(",;: ")
    assert as_python_regex(listed).fullmatch(f"public.{name}")
    assert not as_python_regex(listed).fullmatch(f"publicx{name}")
    assert not as_python_regex(listed).fullmatch(f"public.{name}x")


def test_several_tables_are_listed_apart() -> None:
    assert config(table("a"), table("b"))["table.include.list"] == "(?-i)public[.]a,(?-i)public[.]b"


def test_a_key_by_index_is_named_and_others_are_not() -> None:
    listed = config(table("a"), table("b", key=("u v", "w"), identity="index"))["message.key.columns"]
    assert listed == r"(?-i)public[.]b:u\x{20}v,w"
    assert "message.key.columns" not in config(table("a"))


def test_columns_that_no_change_holds_are_kept_out_of_the_snapshot() -> None:
    assert config(table("a", unpublished=("g",)))["column.exclude.list"] == "(?-i)public[.]a[.]g"
    assert "column.exclude.list" not in config(table("a"))


def test_every_event_says_its_epoch() -> None:
    assert config(table("a"))["transforms.epoch.value.literal"] == "3"


def test_the_password_is_in_one_place_only() -> None:
    assert [name for name, value in config(table("a")).items() if "hunter2" in value] == ["database.password"]


def test_no_database_is_said_so() -> None:
    with pytest.raises(ConfigurationError, match="no PostgreSQL is configured"):
        connector_config(Settings(postgres=PostgresSettings(host=None)), [table("a")], epoch=1, placeholder="gone")


def test_topics_have_the_characters_kafka_allows() -> None:
    assert topic_name("shop", TableName("public", "orders")) == "shop.public.orders"
    assert topic_name("shop", TableName("Wë", "a b.c")) == "shop.W_.a_b.c"
    assert topic_name("shop", TableName("public", "🚂s")) == "shop.public.__s"


@pytest.mark.parametrize(
    ("type_name", "expected"),
    [
        ("text", "gone"),
        ("jsonb", "gone"),
        ("numeric", "gone"),
        ("bytea", "Z29uZQ=="),
        ("_text", '["gone"]'),
        ("_int4", "[103,111,110,101]"),
        ("composite", "Z29uZQ=="),
        ("_bytea", '["Z29uZQ=="]'),
        ("hstore", '{"gone":"gone"}'),
        ("_uuid", '["50c1f58b-e7f5-347e-8f53-d64c094783c2"]'),
        ("_bool", None),
        ("_enum", None),
        ("_float8", None),
        ("_int2", None),
    ],
)
def test_an_unchanged_value_has_a_form_per_type(type_name: str, expected: str | None) -> None:
    column = ColumnContract(name="c", type_name=type_name, toastable=True)
    assert recognisable(column) is (expected is not None)
    assert written("gone", column) == expected


def test_an_unchanged_array_of_a_domain_has_no_form() -> None:
    column = ColumnContract(name="c", type_name="_text", domain=True, toastable=True)
    assert not recognisable(column)
    assert recognisable(column.model_copy(update={"type_name": "text"}))


def test_a_snapshot_reads_dates_so_that_none_before_year_1_is_taken_for_a_later_one() -> None:
    day = ColumnContract(name="d", type_name="date")
    found = config(table("a", day), table("b"))
    assert found["snapshot.select.statement.overrides"] == '"public"."a"'
    select = found['snapshot.select.statement.overrides."public"."a"']
    infinite = """CASE WHEN "d" < '0001-01-01' OR "d" BETWEEN '1582-10-05' AND '1582-10-14' THEN '-infinity' """
    assert select.endswith(f'''{infinite}ELSE "d" END AS "d" FROM "public"."a"''')
    assert not any(name.startswith("snapshot.select") for name in config(table("b")))


def test_a_value_that_is_never_out_of_line_needs_no_form() -> None:
    assert recognisable(ColumnContract(name="c", type_name="_bool", toastable=False))


@pytest.mark.parametrize("lsn", [0, 1, 0xFFFFFFFF, 0x16_B374D848, 2**63 - 1])
def test_positions_come_back_as_they_were(lsn: int) -> None:
    assert parse_lsn(format_lsn(lsn)) == lsn


def test_positions_read_as_postgresql_writes_them() -> None:
    assert format_lsn(0x16_B374D848) == "16/B374D848"


@pytest.mark.parametrize(
    ("type_name", "modifier", "expected"),
    [
        ("numeric", -1, (None, None)),
        ("numeric", (10 << 16 | 2) + 4, (10, 2)),
        ("numeric", (5 << 16 | (-2 & 0x7FF)) + 4, (5, -2)),
        ("numeric", (3 << 16 | 5) + 4, (3, 5)),
        ("timestamp", 3, (3, None)),
        ("time", 0, (0, None)),
        ("varchar", 14, (None, None)),
        ("_numeric", (10 << 16 | 2) + 4, (None, None)),
    ],
)
def test_modifiers_are_read_as_the_catalogue_packs_them(
    type_name: str, modifier: int, expected: tuple[int | None, int | None]
) -> None:
    assert decode_modifier(type_name, modifier) == expected


def test_a_trace_is_told_in_one_line() -> None:
    trace = "a.ConnectException: it broke\n\tat x.y\nCaused by: b: middle\n\tat q\nCaused by: c.Error: the cause\n"
    assert first_cause(trace) == "a.ConnectException: it broke (caused by: c.Error: the cause)"
    assert first_cause("a.Error: alone\n\tat x") == "a.Error: alone"
    assert first_cause("") is None


@pytest.mark.parametrize(
    ("offset", "done"),
    [
        (None, False),
        ({"lsn": 1, "snapshot": "INITIAL", "snapshot_completed": False}, False),
        ({"lsn": 1, "snapshot": "INITIAL", "snapshot_completed": True}, True),
        ({"lsn": 1}, True),
    ],
)
def test_the_offset_tells_whether_the_snapshot_is_done(offset: dict[str, object] | None, done: bool) -> None:
    assert snapshot_done(offset) is done
