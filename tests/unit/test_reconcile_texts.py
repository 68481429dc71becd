"""Canonical texts in DuckDB: what is equal reads alike, what differs never does."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.lake.storage import duckdb_connection
from connectors.postgres.contracts import ColumnContract, TableContract
from connectors.quality.canonical import canonical, quoted, register_macros
from connectors.quality.checksums import silver_checksums


@pytest.fixture(scope="module")
def evaluate():
    """Evaluates an expression over the text parameter `x`."""
    with duckdb_connection(".") as connection:
        register_macros(connection)

        def run(expression, *values):
            names = ", ".join(f"?::VARCHAR AS x{i}" for i in range(len(values)))
            return connection.execute(f"SELECT {expression} FROM (SELECT {names})", list(values)).fetchall()[0][0]

        yield run


def column(type_name: str) -> ColumnContract:
    return ColumnContract(name="x", type_name=type_name)


def plain(number: Decimal) -> str:
    """As PostgreSQL's `trim_scale()` writes it."""
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40)


@settings(max_examples=20, deadline=None)
@given(st.lists(NUMBERS, min_size=1))
def test_numbers_are_written_plainly(evaluate, numbers):
    texts = "list_transform(x0::VARCHAR[], lambda n: " + canonical(column("numeric")).duckdb.format("n") + ")"
    # Python writes a decimal as Java's BigDecimal does: 1E+5, 1.2E-7, 0E-8.
    assert evaluate(texts, json.dumps([*map(str, numbers)])) == [plain(number) for number in numbers]


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="0123456789.-+E Na"))
def test_nothing_reads_as_another_number(evaluate, text):
    found = evaluate(canonical(column("numeric")).duckdb.format("x0"), text)
    assert found == text or found == plain(Decimal(text))


TEXTS = st.none() | st.text(alphabet='ab",N\n\\é', max_size=6)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4))
def test_rows_read_alike_only_if_equal(evaluate, pairs):
    def joined(offset):
        return f"concat_ws(',', {', '.join(quoted(f'x{2 * i + offset}') for i in range(len(pairs)))})"

    values = [value for pair in pairs for value in pair]
    alike = evaluate(f"{joined(0)} = {joined(1)}", *values)
    assert alike == all(left == right for left, right in pairs)


@pytest.mark.parametrize(
    ("type_name", "text"),
    [
        ("interval", "P1D"),
        ("interval", "P1Y2M3DT4H5M6.7891234S"),
        ("interval", ""),
        ("_int8", "{1,2}"),
        ("_int8", "null"),
        ("_int8", "[1, 2"),
        ("_text", ""),
        ("numeric", ""),
        ("numeric", "-"),
        ("numeric", "1E999999999"),
        ("numeric", "1,5"),
    ],
)
def test_unreadable_text_enters_as_it_is(evaluate, type_name, text):
    assert evaluate(canonical(column(type_name)).duckdb.format("x0"), text) == text


@pytest.mark.parametrize("type_name", ["_int8", "_float8", "_bool"])
def test_wrong_array_element_is_not_null(evaluate, type_name):
    text = canonical(column(type_name)).duckdb.format("x0")
    assert (
        len({evaluate(text, value) for value in ('["x"]', "[null]", "[1]", "[1.5]", "[2]", '["1,2"]', "[1, 2]")}) == 7
    )


def test_order_of_columns_does_not_count():
    columns = tuple(ColumnContract(name=name, type_name="text") for name in "bca")
    contracts = [
        TableContract(schema_name="public", table_name="t", columns=ordered, key=("a",))
        for ordered in (columns, columns[::-1])
    ]
    stored = dict.fromkeys("abc", "VARCHAR")
    one, other = (silver_checksums(contract, relation="t", stored=stored).buckets(1) for contract in contracts)
    assert one == other


def test_type_that_silver_should_not_have_is_compared_as_text():
    contract = TableContract(
        schema_name="public", table_name="t", columns=(ColumnContract(name="a", type_name="float8"),), key=()
    )
    assert silver_checksums(contract, relation="t", stored={"a": "VARCHAR"}).texts["a"] == quoted('r."a"::VARCHAR')
