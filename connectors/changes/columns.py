"""The columns of a table, with their names in the SQL of decoding, folding and merging."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from connectors.changes.schema_changes import is_fillable
from connectors.errors import ContractMismatch
from connectors.postgres.contracts import ColumnContract, TableContract
from connectors.postgres.identifiers import quote_identifier, quote_literal
from connectors.postgres.types import TypeRule, rule_for

_SQL_TYPES = {
    pa.int64(): "BIGINT",
    pa.bool_(): "BOOLEAN",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.string(): "VARCHAR",
    pa.date32(): "DATE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
}


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        contract: What the catalogue says of it.
        value: Name of its decoded value in the work tables; short, so that no column name can clash with ours.
        keep: Name of the flag that says: this change left the value as it was, and does not carry it.
        rule: How its type travels.
        toastable: Whether a change may have an unchanged TOAST value here.
        is_key: Whether it is part of the key.
    """

    contract: ColumnContract
    value: str
    keep: str
    rule: TypeRule
    toastable: bool
    is_key: bool

    @property
    def name(self) -> str:
        """As the catalogue has it."""
        return self.contract.name

    @property
    def quoted(self) -> str:
        """The name, quoted for DuckDB and Delta alike."""
        return quote_identifier(self.name)

    @property
    def fill(self) -> str | None:
        """SQL of the value that rows from before the column hold; None: NULL, or there are none in the stream."""
        if self.contract.fill is None or not is_fillable(self.contract):
            return None
        text = quote_literal(self.contract.fill)
        if pa.types.is_string(self.rule.arrow):
            return self.rule.decode.format(text)
        # Of other types, PostgreSQL writes a constant in another way than Debezium a value.
        return f"CAST({text} AS {sql_type(self.rule.arrow)})"


@dataclass(frozen=True)
class Columns:
    """All columns of a table, in catalogue order."""

    all: tuple[Column, ...]

    @property
    def key(self) -> tuple[Column, ...]:
        """The key's columns."""
        return tuple(c for c in self.all if c.is_key)

    @property
    def toastable(self) -> tuple[Column, ...]:
        """The columns that may have unchanged TOAST values."""
        return tuple(c for c in self.all if c.toastable)

    @property
    def keys(self) -> str:
        """The key's values in the work tables, comma-separated."""
        return names(c.value for c in self.key)

    @property
    def any_kept(self) -> str:
        """The condition that a change has an unchanged TOAST value."""
        return " OR ".join(c.keep for c in self.toastable) or "FALSE"


def sql_type(arrow: pa.DataType) -> str:
    """Returns DuckDB's name of a type that `_cdc_*` columns and constants have; see `is_fillable`."""
    if pa.types.is_decimal(arrow):
        return f"DECIMAL({arrow.precision}, {arrow.scale})"
    return _SQL_TYPES[arrow]


def names(parts: Iterable[str]) -> str:
    """Joins SQL terms with commas."""
    return ", ".join(parts)


def columns_of(contract: TableContract) -> Columns:
    """Returns the columns of a contract.

    Raises:
        ContractMismatch: A column's type is not captured.
    """
    found = []
    for n, column in enumerate(contract.columns):
        rule = rule_for(column)
        if rule is None:
            raise ContractMismatch(
                f"{contract.table}: column {column.name!r} has the type {column.type_name!r}, which is not captured",
                hint="leave the table out of LAKEHOUSE_CDC__TABLES, or change the column's type",
            )
        # A key's value is in every change.
        is_key = column.name in contract.key
        toastable = column.toastable and not is_key
        found.append(Column(column, f"v{n}", f"keep{n}", rule, toastable, is_key))
    return Columns(tuple(found))
