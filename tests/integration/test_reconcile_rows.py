"""Rows that are missing, extra, swapped or repeated, in tables with and without a key, against a real PostgreSQL."""

import psycopg
import pyarrow as pa
import pytest

from connectors.lake.storage import duckdb_connection
from connectors.postgres.contracts import ColumnContract, TableContract
from connectors.quality.canonical import register_macros
from connectors.quality.comparison import compare_table

COLUMNS = (
    ColumnContract(name="id", type_name="int4"),
    ColumnContract(name="part", type_name="text"),
    ColumnContract(name="note", type_name="text"),
)
KEYED = TableContract(schema_name="public", table_name="things", columns=COLUMNS, key=("part", "id"))
KEYLESS = KEYED.model_copy(update={"key": ()})
SCHEMA = pa.schema([("id", pa.int64()), ("part", pa.string()), ("note", pa.string())])
ROWS = [(1, "a", "x"), (1, "b", "y"), (2, "a", None), (3, "a", "")]
MANY = 30_000


@pytest.fixture
def source(database):
    """The database, with an empty table."""
    with psycopg.connect(
        host=database.host,
        port=database.port,
        user=database.user,
        password=database.password.get_secret_value() if database.password else None,
        dbname=database.database,
    ) as connection:
        connection.execute("CREATE TABLE things (id int, part text, note text)")
        yield connection


@pytest.fixture
def compare(source, tmp_path):
    """Fills both sides and compares."""
    with duckdb_connection(str(tmp_path)) as lake:
        register_macros(lake)

        def run(contract, rows, silver, schema=SCHEMA):
            with source.cursor().copy("COPY things FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            lines = [dict(zip(schema.names, row, strict=True)) for row in silver]
            lake.register("silver_things", pa.Table.from_pylist(lines, schema))
            return compare_table(contract, source=source, lake=lake, relation="silver_things")

        yield run


def test_order_does_not_count(compare):
    found = compare(KEYED, ROWS, ROWS[::-1])
    assert (found.source_rows, found.silver_rows, found.mismatches, found.keys) == (4, 4, 0, ())


def test_empty_on_both_sides(compare):
    found = compare(KEYED, [], [])
    assert (found.source_rows, found.silver_rows, found.mismatches) == (0, 0, 0)


@pytest.mark.parametrize(
    ("silver", "keys"),
    [
        (ROWS[1:], {"missing part=a, id=1"}),
        ([*ROWS, (9, "b", "z")], {"extra part=b, id=9"}),
        ([*ROWS, ROWS[0]], {"extra part=a, id=1"}),
        (
            [(1, "a", "y"), (1, "b", "x"), *ROWS[2:]],
            {"different part=a, id=1 in note", "different part=b, id=1 in note"},
        ),
        ([*ROWS[:2], (2, "a", ""), ROWS[3]], {"different part=a, id=2 in note"}),
        ([*ROWS[:3], (3, "a", None)], {"different part=a, id=3 in note"}),
        ([(4, "a", "x"), *ROWS[1:]], {"missing part=a, id=1", "extra part=a, id=4"}),
        ([(1, "a,1", "x"), *ROWS[1:]], {"missing part=a, id=1", "extra part=a,1, id=1"}),
        ([], {"missing part=a, id=1", "missing part=b, id=1", "missing part=a, id=2", "missing part=a, id=3"}),
    ],
)
def test_rows_that_differ_are_named(compare, silver, keys):
    found = compare(KEYED, ROWS, silver)
    assert set(found.keys) == keys
    assert (found.source_rows, found.silver_rows, found.mismatches) == (4, len(silver), len(keys))


def test_no_silver_table_misses_every_row(compare, source):
    compare(KEYED, ROWS, [])
    with duckdb_connection(".") as lake:
        found = compare_table(KEYED, source=source, lake=lake, relation=None)
    assert (found.source_rows, found.silver_rows, found.mismatches) == (4, 0, 4)


def test_column_that_silver_lacks_differs_where_it_has_a_value(compare):
    without_note = pa.schema(list(SCHEMA)[:2])
    found = compare(KEYED, ROWS, [row[:2] for row in ROWS], schema=without_note)
    assert found.mismatches == sum(row[2] is not None for row in ROWS)


def test_rows_that_are_alike_are_counted(compare):
    found = compare(KEYLESS, [*ROWS, ROWS[0]], [ROWS[0], *ROWS])
    assert (found.source_rows, found.silver_rows, found.mismatches) == (5, 5, 0)


@pytest.mark.parametrize(
    ("silver", "kind", "mismatches"),
    [([*ROWS, ROWS[0], ROWS[0]], "extra", 2), (ROWS[1:], "missing", 1)],
)
def test_rows_that_are_alike_differ_in_their_number(compare, silver, kind, mismatches):
    found = compare(KEYLESS, ROWS, silver)
    assert found.mismatches == mismatches
    assert [key.split()[0] for key in found.keys] == [kind]
    assert found.keys[0].endswith('"1","x","a"')


def test_few_differences_among_many_rows(compare):
    rows = [(number, "p", f"note {number}") for number in range(MANY)]
    silver = [(number, "p", "wrong" if number == 12_345 else note) for number, _, note in rows if number != 777]
    found = compare(KEYED, rows, silver)
    assert (found.source_rows, found.silver_rows, found.mismatches) == (MANY, MANY - 1, 2)
    assert set(found.keys) == {"missing part=p, id=777", "different part=p, id=12345 in note"}


def test_everything_differs_and_is_counted(compare):
    rows = [(number, "p", f"note {number}") for number in range(MANY)]
    found = compare(KEYED, rows, [(number, "p", "") for number, _, _ in rows])
    assert (found.mismatches, len(found.keys)) == (MANY, 10)


def test_long_key_is_cut_in_the_message(compare):
    found = compare(KEYED, [(1, "k" * 2000, "x")], [])
    assert found.keys == (f"missing part={'k' * 60}, id=1",)
