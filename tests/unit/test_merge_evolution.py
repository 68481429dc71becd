"""Silver follows a table whose columns change, while changes of the old and of the new shape are mixed."""

from decimal import Decimal

import pytest

from connectors.errors import ContractMismatch, TablePaused
from connectors.lake.silver.table import SilverTable
from connectors.postgres.contracts import ColumnContract
from tests.events import PLACEHOLDER, event
from tests.silver_lake import COLUMNS, KEYED, KEYLESS, Lake, row

EXTRA = ColumnContract(name="extra", type_name="int4")


@pytest.fixture(params=[KEYED, KEYLESS], ids=["keyed", "keyless"])
def lake(tmp_path, request):
    return Lake(str(tmp_path), request.param)


def with_columns(lake, *columns):
    lake.contract = lake.contract.model_copy(update={"columns": columns})
    return lake


def test_added_column_is_null_before_and_told_after(lake):
    lake.receive(event("c", row(1, "a", "x"), lsn=10)).merge()
    lake.receive(
        event("c", row(2, "old shape", "x"), lsn=20, prev=15),
        event("c", row(3, "new shape", "x") | {"extra": 7}, lsn=30, prev=25),
    )
    with_columns(lake, *COLUMNS, EXTRA).merge()
    assert lake.select("id, extra") == [(1, None), (2, None), (3, 7)]


def test_rows_from_before_get_the_constant_and_others_do_not(lake):
    lake.receive(event("c", row(1, "a", "x"), lsn=10)).merge()
    lake.receive(
        event("c", row(2, "old shape", "x"), lsn=20, prev=15),
        event("c", row(3, "new shape", "x") | {"extra": None}, lsn=30, prev=25),
    )
    with_columns(lake, *COLUMNS, EXTRA.model_copy(update={"fill": "42"})).merge()
    assert lake.select("id, extra") == [(1, 42), (2, 42), (3, None)]


def test_rows_from_before_that_went_away_had_the_constant(lake):
    lake.receive(event("c", row(1, "a", "x"), lsn=10), event("c", row(2, "b", "y"), lsn=11)).merge()
    lake.receive(
        event("u", row(1, "changed", "x"), before=row(1, "a", "x"), lsn=20, prev=15),
        event("d", row(2, "b", "y"), lsn=30, prev=25),
    )
    with_columns(lake, *COLUMNS, EXTRA.model_copy(update={"fill": "42"})).merge()
    assert lake.current("id, name, extra") == [(1, "changed", 42)]


def test_dropped_column_stays_and_is_null_in_rows_that_are_written(lake):
    lake.receive(event("c", row(1, "a", "x"), lsn=10), event("c", row(2, "b", "y"), lsn=11)).merge()
    lake.receive(event("c", {"id": 3, "big": "z"}, lsn=30, prev=25)).merge()
    assert lake.select("id, name, big") == [(1, "a", "x"), (2, "b", "y"), (3, None, "z")]


def test_unknown_column_holds_the_table_and_loses_nothing(lake):
    lake.receive(event("c", row(1, "a", "x") | {"extra": 1}, lsn=10))
    problem = (
        r"columns that the contract does not know: extra\nhint: run `lakehouse .*`; until then the table is paused"
    )
    with pytest.raises(TablePaused, match=problem):
        lake.merge()
    assert SilverTable(lake.layout, lake.contract, placeholder=PLACEHOLDER).batch == 0


def test_held_table_names_a_command_that_reads_it(lake):
    lake.receive(event("c", row(1, "a", "x") | {"extra": 1}, lsn=10))
    again = "source remove --yes && lakehouse source register"
    command = r"resync public\.t" if lake.contract.key else again
    with pytest.raises(ContractMismatch, match=rf"run `lakehouse {command}`; until then"):
        lake.merge()


@pytest.mark.parametrize(
    "columns", [COLUMNS[:2], (COLUMNS[0], COLUMNS[1].model_copy(update={"type_name": "int4"}), COLUMNS[2])]
)
def test_silver_that_no_adding_makes_right_is_held(lake, columns):
    lake.receive(event("c", row(1, "a", "x"), lsn=10)).merge()
    lake.receive(event("c", {"id": 2, "name": None}, lsn=20, prev=15))
    with pytest.raises(ContractMismatch, match=r"silver has other columns than the contract: (big|name)"):
        with_columns(lake, *columns).merge()


def test_table_is_held_before_values_of_a_new_type_are_rejected(lake):
    lake.receive(event("c", {"id": "not a number", "name": "a", "big": "x", "extra": 1}, lsn=10))
    with pytest.raises(ContractMismatch, match="does not know: extra"):
        lake.merge()
    assert not lake.has_quarantine()


def test_constants_of_old_that_silver_can_not_hold_stop_nothing(lake):
    """They stay in the catalogue of a table that had the column before it was captured."""
    columns = [
        ColumnContract(name="raw", type_name="bytea", fill="\\x00"),
        ColumnContract(name="price", type_name="numeric", precision=5, scale=2, fill="NaN"),
        ColumnContract(name="until", type_name="timestamptz", fill="infinity"),
    ]
    with_columns(lake, *COLUMNS, *columns)
    lake.receive(event("c", row(1, "a", "x") | {"raw": "AQ==", "price": "1.50", "until": None}, lsn=10)).merge()
    assert lake.select("id, raw, price, until") == [(1, b"\x01", Decimal("1.50"), None)]


def test_padding_is_no_value_wherever_it_comes_from(lake):
    """Of a value, and a constant that rows from before the column hold."""
    lake.receive(event("c", row(1, "a", "x"), lsn=10))
    padded = ColumnContract(name="code", type_name="bpchar", fill="de   ")
    with_columns(lake, COLUMNS[0], COLUMNS[1].model_copy(update={"type_name": "bpchar"}), COLUMNS[2], padded)
    lake.receive(event("c", row(2, "b  \t ", "x") | {"code": "fr   "}, lsn=20, prev=15)).merge()
    assert lake.select("id, name, code") == [(1, "a", "de"), (2, "b  \t", "fr")]
