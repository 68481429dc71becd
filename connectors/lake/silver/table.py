"""A silver table: its address, its schema, the version that was read, and the progress of that version."""

from dataclasses import replace
from typing import Self

import pyarrow as pa
from deltalake import DeltaTable, Schema

from connectors.changes.columns import Columns, columns_of, names
from connectors.changes.order import BEGINNING
from connectors.lake.commits import LIVELY, committing, with_progress
from connectors.lake.layout import LakeLayout
from connectors.lake.silver.baseline import FIRST_EVENT, Baseline
from connectors.lake.silver.overwrite import overwrite_rows
from connectors.lake.silver.progress import SilverProgress
from connectors.lake.silver.schema import meaning_of, silver_schema, table_paused, table_properties
from connectors.lake.silver.statistics import adopt_statistics, statistics_properties
from connectors.lake.storage import data_files, ensure_table
from connectors.lake.views import duckdb_columns, typed_rows
from connectors.postgres.contracts import TableContract
from connectors.postgres.identifiers import quote_identifier

FILE_SIZE = 8 * 2**20
"""Bytes that merges give a file: small ones keep one wide merge from turning the table into two files."""

_CONFIGURATION = {"delta.targetFileSize": str(FILE_SIZE), **LIVELY}


class SilverTable:
    """One silver table, created empty if there is none.

    Args:
        layout: Addresses of the lake.
        contract: The table's contract.
        placeholder: What the source's events carry in place of an unchanged TOAST value.
        baseline: What the table starts from.
        uri: Address of a table that is not, or not yet, the source table's own.
        table: The table, where it was opened already: nothing is created.

    Attributes:
        columns: The columns of the source table.
        schema: The schema that silver is to have.
        table: The version that was read. A merge commits with this object, so of two that read one version, one fails.
        progress: The progress of that version.
    """

    def __init__(
        self,
        layout: LakeLayout,
        contract: TableContract,
        *,
        placeholder: str,
        baseline: Baseline = FIRST_EVENT,
        uri: str | None = None,
        table: DeltaTable | None = None,
    ) -> None:
        self.layout = layout
        self.contract = contract
        self.placeholder = placeholder
        self.baseline = baseline
        self.uri = uri or layout.silver(contract.table)
        self.columns: Columns = columns_of(contract)
        self.schema: pa.Schema = silver_schema(contract, self.columns)
        self._read(table or self._newest())

    def reload(self) -> Self:
        """Reads the newest version."""
        return self._read(self._newest())

    def _newest(self) -> DeltaTable:
        described = table_properties(self.layout.source, self.contract)
        configuration = _CONFIGURATION | statistics_properties(self.columns) | described
        return ensure_table(self.uri, self.schema, configuration=configuration, description=meaning_of(self.contract))

    def _read(self, table: DeltaTable) -> Self:
        self.table: DeltaTable = table
        first = BEGINNING if self.baseline.is_resync else self.baseline.position
        self.progress = SilverProgress.of(self.table) or SilverProgress(self.baseline.batch, first)
        if self.awaits_resync:
            # They come with all changes since the resync, also of keys that were purged meanwhile.
            self.progress = replace(self.progress, purged_lsn=0)
        return self

    @property
    def batch(self) -> int:
        """The last bronze batch that is merged."""
        return self.progress.batch

    @property
    def awaits_resync(self) -> bool:
        """The rows of a resync are still to be merged."""
        return self.baseline.is_resync and self.progress.low_watermark < self.baseline.position

    @property
    def lacks_columns(self) -> bool:
        """The contract has columns that no row has yet."""
        return not set(self.schema.names) <= set(self._stored_schema().names)

    def count(self) -> int:
        """How many rows there are, soft-deleted ones too, as the log has it."""
        return sum(file["num_records"] or 0 for file in data_files(self.uri, self.table))

    def rows(self) -> str | None:
        """Returns the DuckDB relation of all rows, soft-deleted ones too; None if there are no files."""
        files = [file["path"] for file in data_files(self.uri, self.table)]
        return f"({typed_rows(duckdb_columns(self.table), files)})" if files else None

    def adopt_columns(self) -> None:
        """Adds the columns that the contract gained; stored rows get the value that the source gave them.

        Raises:
            CommitConflict: Another merge committed first: reload, and try again.
            ContractMismatch: The table has columns that are not the contract's.
        """
        stored = self._stored_schema()
        other = [f.name for f in stored if f.name not in self.schema.names or f.type != self.schema.field(f.name).type]
        if other:
            raise table_paused(self.contract, f"silver has other columns than the contract: {', '.join(other)}")
        added = [c for c in self.columns.all if c.name not in stored.names]
        progress = self.progress.as_transactions()
        if any(c.fill is not None for c in added):
            rows = self.rows()
            filled = {c.name: f"{c.fill or 'NULL'} AS {c.quoted}" for c in added}
            wanted = names(filled.get(name, quote_identifier(name)) for name in self.schema.names)
            query = None if rows is None else f"SELECT {wanted} FROM {rows}"
            overwrite_rows(self.table, query, root=self.uri, schema=self.schema, progress=progress)
        else:
            if added:
                fields = Schema.from_arrow(pa.schema([self.schema.field(c.name) for c in added])).fields
                with committing(self.table):
                    self.table.alter.add_columns(fields, commit_properties=with_progress(progress))
            self._describe_columns(stored)
        adopt_statistics(self.table, self.columns)

    def _describe_columns(self, stored: pa.Schema) -> None:
        """Marks columns with their PostgreSQL type: an append of rows that say otherwise would fail."""
        described = {field.name: field.metadata for field in self.schema if field.metadata}
        for field in stored:
            wanted = described.get(field.name, {})
            if not wanted.items() <= (field.metadata or {}).items():
                metadata = {key.decode(): value.decode() for key, value in wanted.items()}
                progress = with_progress(self.progress.as_transactions())
                with committing(self.table):
                    self.table.alter.set_column_metadata(field.name, metadata, commit_properties=progress)

    def _stored_schema(self) -> pa.Schema:
        return pa.schema(self.table.schema().to_arrow())
