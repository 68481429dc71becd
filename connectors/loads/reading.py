"""One reading of a slice: makes typed rows of texts, and keeps what is rejected, with file and line."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import duckdb
import pyarrow as pa

from connectors.errors import ContractMismatch
from connectors.lake.quarantine import RejectedRow
from connectors.loads.declaration import TableSpec
from connectors.loads.names import column_name
from connectors.loads.types import column_type, duckdb_type, kind_of
from connectors.postgres.identifiers import quote_identifier, quote_literal

LONGEST_RAW = 64 * 1024
"""So many bytes of a rejected row are kept; its object still has it."""

_LONGEST_VALUE = 100


@dataclass
class Facts:
    """What a load tells of itself, besides its rows.

    Attributes:
        read_bytes: Bytes read at the source.
        consumed_capacity: Read units that DynamoDB counted.
        notes: What else people should know.
    """

    read_bytes: int = 0
    consumed_capacity: float = 0.0
    notes: list[str] = field(default_factory=list)


class Reading:
    """Types the rows of one slice.

    Args:
        connection: DuckDB, of its own.
        table: The table's declaration.
        columns: Type of each column that the table has, by name.
        salt: What hashes are salted with.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, table: TableSpec, columns: Mapping[str, str], *, salt: str = ""
    ) -> None:
        self._connection = connection
        self._table = table
        self._salt = salt
        self._known = bool(columns)
        self.columns = {**columns, **{column_name(name): kind for name, kind in table.columns.items()}}
        self._pii = {column_name(name): what for name, what in table.pii.items()}
        self.columns |= {name: "text" for name, what in self._pii.items() if what == "hash"}
        self._dropped = {name for name, what in self._pii.items() if what == "drop"}
        self.columns = {name: kind for name, kind in self.columns.items() if name not in self._dropped}
        self.rejected: list[RejectedRow] = []
        self.facts = Facts()

    def reject(self, rejected: RejectedRow) -> None:
        """Keeps a row for the quarantine; of a table with personal data, not its values."""
        self.rejected.append(replace(rejected, raw=b"" if self._pii else rejected.raw[:LONGEST_RAW]))

    def type_rows(self, rows: pa.Table, kinds: Mapping[str, str], *, file: str, version: str | None) -> pa.Table:
        """Returns the rows whose every value is of its column's type; the others are rejected.

        Args:
            rows: Values, as texts or typed; columns of our own, which begin with `_`; where a row has such, `_row`, its
                line, and `_raw`, how it was received.
            kinds: Type of each column that the table does not have yet.
            file: Where they are from.
            version: Which version of it; None: a row is known by its values alone.

        Raises:
            ContractMismatch: There is a column that a frozen table does not have.
        """
        values = [name for name in rows.column_names if not name.startswith("_") and name not in self._dropped]
        new = [name for name in values if name not in self.columns]
        self._admit(new, kinds, file)
        own = [name for name in rows.column_names if name.startswith("_") and name != "_raw"]
        typed = [f"{self._value(rows, name)} AS {quote_identifier(name)}" for name in values if name in self.columns]
        reasons = self._reasons(rows, values)
        raw = "_raw" if "_raw" in rows.column_names else "encode(to_json(arriving)::VARCHAR)"
        chosen = ", ".join([*map(quote_identifier, own), *typed, f"{reasons} AS _reason"])
        query = f"SELECT {chosen}, CASE WHEN _reason IS NOT NULL THEN {raw} END AS _raw FROM arriving"
        self._connection.register("arriving", rows)
        found = self._connection.sql(query).to_arrow_table()
        self._connection.unregister("arriving")
        return self._without_rejected(found, file=file, version=version)

    def _admit(self, new: list[str], kinds: Mapping[str, str], file: str) -> None:
        """Takes new columns in, if the table's contract says so."""
        if not new:
            return
        if self._known and self._table.new_columns == "freeze":
            raise ContractMismatch(
                f"{file} has columns that the table does not have: {', '.join(sorted(new))}",
                hint="declare them under `columns`, or set `new_columns: evolve`",
            )
        if not self._known or self._table.new_columns == "evolve":
            self.columns |= {name: kinds[name] for name in new}

    def _value(self, rows: pa.Table, name: str) -> str:
        """Expression of a column's value; NULL where it is not of the column's type."""
        kind, quoted, given = column_type(self.columns[name]), quote_identifier(name), rows.schema.field(name).type
        if self._pii.get(name) == "hash":
            return f"sha256({quote_literal(self._salt)} || {quoted}::VARCHAR)"
        if pa.types.is_string(given):
            return kind.decode.format(quoted)
        if pa.types.is_nested(given):
            return f"to_json({quoted})::VARCHAR"
        if kind_of(given) == kind.name:
            return f"try_cast({quoted} AS {duckdb_type(kind)})"
        text = f"base64({quoted})" if kind_of(given) == "binary" else f"{quoted}::VARCHAR"
        return kind.decode.format(f"({text})")

    def _reasons(self, rows: pa.Table, values: list[str]) -> str:
        cases = []
        for name in values:
            quoted = quote_identifier(name)
            if name not in self.columns:
                cases.append(f"WHEN {quoted} IS NOT NULL THEN {quote_literal(f'column {name} is not declared')}")
                continue
            value = self._value(rows, name)
            if value != quoted and self._pii.get(name) != "hash":
                shown = "''" if self._pii else f"left({quoted}::VARCHAR, {_LONGEST_VALUE})"
                about = quote_literal(f"column {name} is no {self.columns[name]}: ")
                missing = f"{quoted} IS NOT NULL AND {value} IS NULL"
                cases.append(f"WHEN {missing} THEN {about} || {shown}")
        return f"CASE {' '.join(cases)} END" if cases else "NULL::VARCHAR"

    def _without_rejected(self, found: pa.Table, *, file: str, version: str | None) -> pa.Table:
        reasons = found.column("_reason")
        if reasons.null_count < len(found):
            for row in found.filter(reasons.is_valid()).to_pylist():
                raw = row["_raw"] or b""
                of_values = hashlib.sha256(raw).hexdigest()[:16] if version is None else version
                self.reject(RejectedRow(file, of_values, row.get("_row", 0), row["_reason"], raw))
            found = found.filter(reasons.is_null())
        return found.drop_columns(["_reason", "_raw"])
