"""Snapshots of silver, saved before bronze is trimmed: a rebuild starts from one."""

from dataclasses import replace

import pyarrow as pa

from connectors.changes.columns import names
from connectors.errors import TerminalError
from connectors.lake.layout import LakeLayout
from connectors.lake.silver.overwrite import overwrite_rows
from connectors.lake.silver.progress import SilverProgress
from connectors.lake.silver.schema import table_paused
from connectors.lake.silver.table import SilverTable
from connectors.lake.storage import ensure_table, open_table
from connectors.lake.views import pin_table
from connectors.postgres.identifiers import TableName


def record_snapshot(layout: LakeLayout, silver: SilverTable, *, at_least: int) -> None:
    """Records the rows of a silver table with what it has reached, unless a snapshot has reached `at_least`.

    Raises:
        CommitConflict: Another run recorded first.
        ContractMismatch: Silver has not got the contract's columns yet.
    """
    table = silver.contract.table
    snapshot = ensure_table(layout.snapshot(table), silver.schema)
    reached = SilverProgress.of(snapshot)
    if reached is not None and reached.batch >= at_least:
        return
    if silver.table.schema().to_arrow().names != silver.schema.names:
        raise table_paused(silver.contract, "silver does not have all columns of the contract yet")
    overwrite_rows(
        snapshot,
        pin_table(table, silver.uri, silver.table).rows(),
        root=layout.root,
        schema=silver.schema,
        progress=silver.progress.as_transactions(),
    )


def snapshot_batch(layout: LakeLayout, table: TableName) -> int:
    """Returns the batch that a table's snapshot has reached; zero: there is none."""
    snapshot = open_table(layout.snapshot(table))
    reached = None if snapshot is None else SilverProgress.of(snapshot)
    return 0 if reached is None else reached.batch


def restore_snapshot(layout: LakeLayout, new: SilverTable, *, at_least: int) -> None:
    """Begins a new, empty table with the rows of the snapshot.

    Raises:
        CommitConflict: Another run did it first.
        ContractMismatch: The snapshot has columns that the contract does not know, or of another type.
        TerminalError: There is no snapshot that has reached `at_least`.
    """
    contract, uri = new.contract, layout.snapshot(new.contract.table)
    snapshot = open_table(uri)
    reached = None if snapshot is None else SilverProgress.of(snapshot)
    if snapshot is None or reached is None or reached.batch < at_least:
        raise TerminalError(
            f"bronze was trimmed up to batch {at_least}, and there is no snapshot of {contract.table} that has it",
            hint=f"run `lakehouse resync '{contract.table}'`",
        )
    stored = pa.schema(snapshot.schema().to_arrow())
    other = [f.name for f in stored if f.name not in new.schema.names or f.type != new.schema.field(f.name).type]
    if other:
        raise table_paused(contract, f"the snapshot has other columns than the contract: {', '.join(other)}")
    pinned = pin_table(contract.table, new.uri, new.table)
    rows = replace(pinned, files=pin_table(contract.table, uri, snapshot).files).rows()
    fills = names(
        f"{c.fill} AS {c.quoted}" for c in new.columns.all if c.fill is not None and c.name not in stored.names
    )
    overwrite_rows(
        new.table,
        f"SELECT * REPLACE ({fills}) FROM ({rows})" if fills else rows,
        root=layout.root,
        schema=new.schema,
        progress=reached.as_transactions(),
    )
