"""A silver lake of the shop made without database and stream: the generator's rows, as a merge would leave them."""

import json
import re
from collections import defaultdict
from datetime import UTC, datetime
from importlib.resources import files

import duckdb
import pyarrow as pa
from deltalake import write_deltalake

from connectors.lake.contract_log import record_contracts
from connectors.lake.layout import LakeLayout
from connectors.lake.storage import ensure_table
from connectors.postgres.contracts import ColumnContract, TableContract
from connectors.postgres.identifiers import TableName, quote_identifier
from connectors.postgres.types import rule_for
from connectors.synthetic.generate import generate_rows

_TABLE = re.compile(r"create table if not exists public\.(\w+) \((.*?)\n\);", re.DOTALL)
_COLUMN = re.compile(r"^    (\w+) ((?:public\.)?\w+(?: precision)?(?:\[\])?)(?:\((\d+)(?:, (\d+))?\))?", re.MULTILINE)
_TYPE_NAMES = {"bigint": "int8", "integer": "int4", "smallint": "int2", "boolean": "bool", "real": "float4"} | {
    "double precision": "float8",
    "char": "bpchar",
    "text[]": "_text",
}
_CDC = {
    "_cdc_epoch": 1,
    "_cdc_prev_commit_lsn": 1,
    "_cdc_lsn": 1,
    "_cdc_op": "r",
    "_cdc_committed_at": datetime(2026, 1, 1, tzinfo=UTC),
    "_cdc_merged_at": datetime(2026, 1, 1, tzinfo=UTC),
    "_cdc_deleted": False,
}


def shop_contracts():
    """Contracts of the shop's tables, read from its definition."""
    for table, body in _TABLE.findall(files("connectors.synthetic").joinpath("shop.sql").read_text()):
        columns = tuple(
            ColumnContract(name=name, type_name=_type_name(kind), precision=precision or None, scale=scale or None)
            for name, kind, precision, scale in _COLUMN.findall(body)
            if name not in {"primary", "foreign"}
        )
        yield TableContract(schema_name="public", table_name=table, columns=columns, key=(columns[0].name,))


def write_shop_lake(root, *, orders=300, source="shop"):
    """Writes contracts and silver of a shop with that many orders."""
    layout = LakeLayout(root, source)
    contracts = {contract.table_name: contract for contract in shop_contracts()}
    record_contracts(layout, contracts.values(), 0)
    rows = defaultdict(list)
    for table, portion in generate_rows(orders=orders, seed=7):
        rows[table].extend(portion)
    for table, contract in contracts.items():
        append_rows(layout, contract, rows[table])


def append_rows(layout, contract, rows):
    """Appends rows, as the generator makes them, to a silver table."""
    names = [column.name for column in contract.columns]
    texts = pa.table({n: pa.array([_text(row[i]) for row in rows], pa.string()) for i, n in enumerate(names)})
    schema = pa.schema([(c.name, rule_for(c).arrow) for c in contract.columns])
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        kinds = connection.from_arrow(schema.empty_table()).types
        casts = ", ".join(f"CAST({quote_identifier(n)} AS {k})" for n, k in zip(names, kinds, strict=True))
        typed = connection.from_arrow(texts).project(casts).to_arrow_table().rename_columns(names).cast(schema)
    for name, value in _CDC.items():
        kind = pa.timestamp("us", tz="UTC") if isinstance(value, datetime) else None
        typed = typed.append_column(name, pa.array([value] * len(rows), kind))
    table = ensure_table(layout.silver(TableName("public", contract.table_name)), typed.schema)
    write_deltalake(table, typed, mode="append")


def _type_name(kind):
    return "enum" if kind.startswith("public.") else _TYPE_NAMES.get(kind, kind)


def _text(value):
    if value is None:
        return None
    return json.dumps(value) if isinstance(value, list) else str(value)
