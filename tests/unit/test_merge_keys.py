"""Keys of every type that are next to each other, spread over many files: each change finds the row it is of."""

from decimal import Decimal

import polars as pl
import pyarrow.dataset as ds
import pytest
from deltalake import DeltaTable

from connectors.lake.silver.statistics import has_exact_statistics, misleading_columns
from connectors.postgres.contracts import ColumnContract, TableContract
from tests.events import event
from tests.silver_lake import Lake

TYPES = {
    "int8": ("int8", None, None),
    "numeric(15,0)": ("numeric", 15, 0),
    "numeric(15,8)": ("numeric", 15, 8),
    "numeric(3,5)": ("numeric", 3, 5),
    "numeric(16,0)": ("numeric", 16, 0),
    "numeric(17,0)": ("numeric", 17, 0),
    "numeric(20,0)": ("numeric", 20, 0),
    "numeric(38,10)": ("numeric", 38, 10),
    "numeric": ("numeric", None, None),
    "money": ("money", None, None),
    "float4": ("float4", None, None),
    "float8": ("float8", None, None),
    "text": ("text", None, None),
    "bytea": ("bytea", None, None),
    "bool": ("bool", None, None),
    "date": ("date", None, None),
    "timestamp": ("timestamp", None, None),
    "timestamptz": ("timestamptz", None, None),
}
EXACT = {
    *("int8", "numeric(15,0)", "numeric(15,8)", "numeric(3,5)", "numeric", "text", "bool", "date"),
    *("timestamp", "timestamptz"),
}
KEYS = {
    "int8": [2**53, 2**53 + 1, 2**53 + 2, 2**63 - 2, 2**63 - 1, -(2**63), 1 - 2**63],
    "numeric(15,0)": ["999999999999997", "999999999999998", "999999999999999", "-999999999999999", "0"],
    "numeric(15,8)": ["9999999.99999997", "9999999.99999998", "9999999.99999999", "0.00000001", "0.00000002"],
    "numeric(3,5)": ["0.00001", "0.00002", "0.00998", "0.00999", "-0.00001"],
    "numeric(16,0)": ["9007199254740992", "9007199254740993", "9007199254740994", "9999999999999999"],
    "numeric(17,0)": ["99999999999999001", "99999999999999002", "99999999999999003", "99999999999999004"],
    "numeric(20,0)": ["99999999999999990001", "99999999999999990002", "99999999999999990003", "1"],
    "numeric(38,10)": [f"1234567890123456789012345678.123456789{n}" for n in range(4)],
    "numeric": ["1e30", "1000000000000000000000000000001", "0.1", "0.10000000000000001"],
    "money": ["92233720368547758.05", "92233720368547758.06", "92233720368547758.07", "-92233720368547758.08"],
    "float4": [0.1, "NaN", 16777216, 16777218, "Infinity", "-Infinity", 1e-45],
    "float8": [0.1, "NaN", 0.1 + 2**-55 * 2, 1e22, "Infinity", "-Infinity", 5e-324, -0.0],
    "text": ["x" * 200 + "1", "x" * 200 + "2", "\U0010ffff" * 90 + "1", "\U0010ffff" * 90 + "2", "", "A", "a"],
    "bytea": ["/////w==", "/////g==", "", "AA==", "/w=="],
    "bool": [True, False],
    "date": [-719162, 2932896, 2932895, -1, 0],
    "timestamp": [1767312245123456, 1767312245123457, 1767312245123458, -1, -2, 253402300799999999],
    "timestamptz": [f"2026-01-02T03:04:05.12345{n}Z" for n in range(5)] + ["1969-12-31T23:59:59.999999Z"],
}


def contract_of(kind):
    name, precision, scale = TYPES[kind]
    key = ColumnContract(name="k", type_name=name, precision=precision, scale=scale, nullable=False)
    value = ColumnContract(name="v", type_name="int4")
    return TableContract(schema_name="public", table_name="t", columns=(key, value), key=("k",))


def change(lake, keys, *, lsn, op="u"):
    """All changes in one merge."""
    lake.receive(*(event(op, {"k": key, "v": lsn}, lsn=lsn + n, prev=lsn + n - 1) for n, key in enumerate(keys)))
    lake.merge()


def change_alone(lake, keys, *, lsn, op="u"):
    """Each change in a merge of its own, so that the range of the keys is one key."""
    for n, key in enumerate(keys):
        change(lake, [key], lsn=lsn + n, op=op)


def count_live(lake):
    """Rows by key, whatever the key is equal to."""
    return len(lake.select("k")), len(lake.rows())


@pytest.mark.parametrize("kind", TYPES)
def test_change_finds_its_row_among_neighbours(tmp_path, kind):
    lake, keys = Lake(str(tmp_path), contract_of(kind)), KEYS[kind]
    change(lake, keys[::2], lsn=100, op="c")
    change(lake, keys[1::2], lsn=200, op="c")
    change_alone(lake, keys, lsn=300)
    table = DeltaTable(lake.layout.silver(lake.contract.table))
    table.optimize.compact()
    table.create_checkpoint()
    change_alone(lake, keys[1:2], lsn=400)
    assert count_live(lake) == (len(keys), len(keys))
    change(lake, keys, lsn=500)
    assert {500 <= value < 600 for _, value in lake.rows()} == {True}
    change(lake, keys[1:], lsn=600, op="d")
    assert count_live(lake) == (len(keys), 1)


@pytest.mark.parametrize("kind", TYPES)
def test_only_exact_statistics_are_kept(tmp_path, kind):
    lake = Lake(str(tmp_path), contract_of(kind))
    lake.receive(*(event("c", {"k": k, "v": 1}, lsn=10, prev=9) for k in KEYS[kind])).merge()
    silver = lake.silver()
    [key, _] = silver.columns.all
    assert has_exact_statistics(key) == (kind in EXACT)
    kept = silver.table.get_add_actions(flatten=True).column_names
    assert ("min.k" in kept) == (kind in EXACT)
    assert "min._cdc_lsn" in kept
    assert misleading_columns(silver.table, silver.uri, silver.columns) == []
    protocol = silver.table.protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)


def test_key_that_is_widened_is_found_and_keeps_no_more_statistics(tmp_path):
    lake = Lake(str(tmp_path), contract_of("numeric(15,0)"))
    change(lake, KEYS["numeric(15,0)"], lsn=100, op="c")
    lake.contract = contract_of("numeric(20,0)")
    keys = [*KEYS["numeric(15,0)"], *KEYS["numeric(20,0)"][:3]]
    change(lake, KEYS["numeric(20,0)"][:3], lsn=200, op="c")
    change_alone(lake, keys, lsn=300)
    assert count_live(lake) == (len(keys), len(keys))
    silver = lake.silver()
    assert misleading_columns(silver.table, silver.uri, silver.columns) == []


@pytest.mark.parametrize("kind", ["numeric(17,0)", "numeric(20,0)", "numeric(38,10)"])
def test_a_stranger_finds_each_key_by_a_filter(tmp_path, kind):
    lake = Lake(str(tmp_path), contract_of(kind))
    change_alone(lake, KEYS[kind], lsn=100, op="c")
    uri = lake.layout.silver(lake.contract.table)
    for key in map(Decimal, KEYS[kind]):
        assert pl.scan_delta(uri).filter(pl.col("k") == key).collect().height == 1
        assert DeltaTable(uri).to_pyarrow_dataset().count_rows(ds.field("k") == key) == 1
