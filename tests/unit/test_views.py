"""Reading silver back, from a lake made by hand with the real writer."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest
from deltalake import Field, write_deltalake

from connectors.errors import ConfigurationError
from connectors.lake.contract_log import record_contracts
from connectors.lake.layout import LakeLayout
from connectors.lake.storage import duckdb_connection, ensure_table, open_table
from connectors.lake.views import pin_silver, register_views
from connectors.postgres.contracts import ColumnContract, TableContract
from connectors.postgres.identifiers import TableName
from tests.s3 import local_s3

UTC = dt.UTC
NOW = dt.datetime(2026, 3, 1, 12, tzinfo=UTC)
ORDERS = TableName("public", "orders")
CDC = [
    ("_cdc_epoch", pa.int64()),
    ("_cdc_prev_commit_lsn", pa.int64()),
    ("_cdc_lsn", pa.int64()),
    ("_cdc_op", pa.string()),
    ("_cdc_committed_at", pa.timestamp("us", tz="UTC")),
    ("_cdc_merged_at", pa.timestamp("us", tz="UTC")),
    ("_cdc_deleted", pa.bool_()),
]
SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string()), *CDC])


@pytest.fixture(scope="module")
def bucket():
    with local_s3() as address:
        yield address


@pytest.fixture(params=["folder", "s3"])
def root(request, tmp_path):
    """Root of an empty lake, with a space in it."""
    if request.param == "folder":
        return f"{tmp_path}/it's my lake #1"
    return f"{request.getfixturevalue('bucket')}/it's my lake/{tmp_path.name}"


def silver_rows(*rows, schema=SCHEMA, **values):
    cdc = {"_cdc_epoch": 1, "_cdc_lsn": 1, "_cdc_op": "c", "_cdc_committed_at": NOW, "_cdc_merged_at": NOW}
    return pa.Table.from_pylist([{"_cdc_deleted": False, **cdc, **values, **row} for row in rows], schema=schema)


def write(root, table, rows, **options):
    uri = LakeLayout(root, "shop").silver(table)
    write_deltalake(ensure_table(uri, rows.schema), rows, mode="append", **options)
    return uri


def merge(uri, rows):
    """Merges by id, as silver is written."""
    delta = open_table(uri)
    (
        delta.merge(rows, "s.id = t.id", source_alias="s", target_alias="t")
        .when_matched_update_all()
        .when_not_matched_insert_all()
        .execute()
    )


def read(root, query, *tables):
    with duckdb_connection(root) as connection:
        register_views(connection, pin_silver(root, "shop", tables or [ORDERS]))
        return connection.sql(query).fetchall()


def test_merged_rows_are_read_and_text_can_be_filtered(root):
    uri = write(root, ORDERS, silver_rows({"id": 1, "name": "old"}, {"id": 2, "name": "kept"}))
    merge(uri, silver_rows({"id": 1, "name": "new"}, {"id": 3, "name": "added"}))

    assert read(root, "SELECT id, name FROM silver.orders ORDER BY id") == [(1, "new"), (2, "kept"), (3, "added")]
    assert read(root, "SELECT id FROM silver.orders WHERE name = 'new'") == [(1,)]


def test_deleted_rows_are_hidden(root):
    uri = write(root, ORDERS, silver_rows({"id": 1, "name": "a"}, {"id": 2, "name": "b"}))
    merge(uri, silver_rows({"id": 2, "name": "b"}, _cdc_deleted=True, _cdc_op="d"))

    assert read(root, "SELECT id FROM silver.orders") == [(1,)]


def test_an_empty_table_is_an_empty_view_of_its_types(root):
    everything = {
        "i": (pa.int64(), "BIGINT"),
        "b": (pa.bool_(), "BOOLEAN"),
        "d": (pa.decimal128(38, 2), "DECIMAL(38,2)"),
        "f": (pa.float32(), "FLOAT"),
        "g": (pa.float64(), "DOUBLE"),
        "day": (pa.date32(), "DATE"),
        "at": (pa.timestamp("us", tz="UTC"), "TIMESTAMP WITH TIME ZONE"),
        "raw": (pa.binary(), "BLOB"),
        "t": (pa.string(), "VARCHAR"),
    }
    schema = pa.schema([(name, kind) for name, (kind, _) in everything.items()] + CDC)
    uri = LakeLayout(root, "shop").silver(ORDERS)
    ensure_table(uri, schema)

    empty = read(root, "DESCRIBE silver.orders")
    write_deltalake(open_table(uri), silver_rows({"i": 1, "d": Decimal("1.10")}, schema=schema), mode="append")

    assert [row[1] for row in empty][: len(everything)] == [name for _, name in everything.values()]
    assert read(root, "DESCRIBE silver.orders") == empty
    assert read(root, 'SELECT i, d, "at" FROM silver.orders') == [(1, Decimal("1.10"), None)]


def test_a_column_that_no_file_has_yet_is_null(root):
    uri = write(root, ORDERS, silver_rows({"id": 1, "name": "a"}))
    open_table(uri).alter.add_columns(Field("colour", "string"))
    assert read(root, "SELECT id, colour FROM silver.orders") == [(1, None)]

    evolved = SCHEMA.append(pa.field("colour", pa.string()))
    write_deltalake(
        open_table(uri), silver_rows({"id": 2, "name": "b", "colour": "red"}, schema=evolved), mode="append"
    )
    assert read(root, "SELECT id, colour FROM silver.orders ORDER BY id") == [(1, None), (2, "red")]


def test_a_view_stays_at_its_version_while_a_writer_goes_on(root):
    uri = write(root, ORDERS, silver_rows({"id": 1, "name": "a"}))
    snapshot = pin_silver(root, "shop", [ORDERS])
    merge(uri, silver_rows({"id": 1, "name": "changed"}, {"id": 2, "name": "b"}))

    with duckdb_connection(root) as connection:
        register_views(connection, snapshot)
        assert connection.sql("SELECT id, name FROM silver.orders").fetchall() == [(1, "a")]
        register_views(connection, pin_silver(root, "shop", [ORDERS]))
        assert connection.sql("SELECT count(*) FROM silver.orders").fetchall() == [(2,)]
    assert snapshot.versions == {"public.orders": 1}


def test_a_history_is_read_as_its_current_rows_each_as_often_as_it_exists(root):
    schema = pa.schema(
        [
            ("range", pa.int64()),
            ("name", pa.string()),
            *CDC,
            ("_cdc_weight", pa.int32()),
            ("_cdc_partition", pa.int32()),
            ("_cdc_offset", pa.int64()),
        ]
    )
    table = TableName("audit", "log")
    came = [{"range": 1, "name": "twice"}] * 3 + [{"range": 2, "name": None}, {"range": 3, "name": "gone"}]
    write(root, table, silver_rows(*came, schema=schema, _cdc_weight=1))
    went = [{"range": 1, "name": "twice"}, {"range": 3, "name": "gone"}]
    write(root, table, silver_rows(*went, schema=schema, _cdc_weight=-1))

    current = read(root, "FROM silver.audit__log ORDER BY ALL", table)
    assert current == [(1, "twice"), (1, "twice"), (2, None)]
    assert read(root, "SELECT count(*), sum(_cdc_weight) FROM silver.audit__log__history", table) == [(7, 3)]


HISTORY = [*CDC, ("_cdc_weight", pa.int32()), ("_cdc_partition", pa.int32()), ("_cdc_offset", pa.int64())]


def test_a_history_keeps_the_sign_of_zero(root):
    schema, table = pa.schema([("number", pa.float64()), *HISTORY]), TableName("public", "log")
    write(root, table, silver_rows({"number": 0.0}, {"number": 0.0}, {"number": -0.0}, schema=schema, _cdc_weight=1))
    write(root, table, silver_rows({"number": 0.0}, schema=schema, _cdc_weight=-1))
    assert sorted(map(str, read(root, "FROM silver.log", table))) == ["(-0.0,)", "(0.0,)"]


def test_a_history_tells_rows_apart_by_what_the_source_still_has(root):
    schema, table = pa.schema([("id", pa.int64()), ("gone", pa.string()), *HISTORY]), TableName("public", "log")
    came = [{"id": 1, "gone": "a"}, {"id": 1, "gone": "b"}, {"id": 2, "gone": "c"}]
    write(root, table, silver_rows(*came, schema=schema, _cdc_weight=1))
    # Deleted after the column was dropped.
    write(root, table, silver_rows({"id": 1, "gone": None}, {"id": 2, "gone": None}, schema=schema, _cdc_weight=-1))
    only_id = (ColumnContract(name="id", type_name="int8"),)
    contract = TableContract(schema_name="public", table_name="log", columns=only_id, key=())
    record_contracts(LakeLayout(root, "shop"), [contract], 0)
    assert read(root, "FROM silver.log", table) == [(1, None)]


def test_names_that_need_quoting_are_read(root):
    table = TableName("Odd Schema", 'Ord"érs.x%y')
    write(root, table, silver_rows({"id": 1, "name": "a"}))

    assert read(root, 'SELECT id FROM silver."Odd Schema__Ord""érs.x%y"', table) == [(1,)]


def test_two_tables_with_one_view_name_are_refused(tmp_path):
    tables = TableName("public", "sales__orders"), TableName("sales", "Orders")
    for table in tables:
        write(str(tmp_path), table, silver_rows({"id": 1, "name": "a"}))

    with (
        duckdb_connection(str(tmp_path)) as connection,
        pytest.raises(ConfigurationError, match=r"public\.sales__orders and sales\.Orders"),
    ):
        register_views(connection, pin_silver(str(tmp_path), "shop", tables))


def test_a_filter_reaches_the_files(tmp_path):
    write(str(tmp_path), ORDERS, silver_rows({"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}))

    [[_, plan]] = read(str(tmp_path), "EXPLAIN SELECT name FROM silver.orders WHERE id = 2")
    assert "id = 2" in plan.split("READ_PARQUET")[1]
