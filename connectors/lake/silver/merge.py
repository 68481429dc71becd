"""From bronze to silver, for one table: slice by slice, each one commit with the rows and the batch they reach."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import duckdb
from deltalake import DeltaTable

from connectors.changes.columns import Columns, columns_of, names
from connectors.changes.decode import Messages, decode_sql
from connectors.changes.floor import Floor, drop_below, find_floor
from connectors.changes.fold import fold_changes
from connectors.changes.markers import NO_MARKER, Marker
from connectors.changes.moment import SourceMoment
from connectors.changes.order import BEGINNING, Position, is_below
from connectors.failpoints import failpoint
from connectors.lake.bronze import BronzeFile
from connectors.lake.layout import LakeLayout
from connectors.lake.quarantine import quarantine_rejected
from connectors.lake.silver.history import append_images
from connectors.lake.silver.progress import START, SilverProgress
from connectors.lake.silver.schema import adopt_columns, held, silver_schema
from connectors.lake.silver.statistics import adopt_statistics, statistics_properties
from connectors.lake.silver.upsert import drop_purged, fold_with_stored, merge_folded
from connectors.lake.storage import ensure_table, scratch_connection
from connectors.postgres.contracts import TableContract

# Merges write files of the target size: small ones keep one wide merge from turning the table into two files.
_CONFIGURATION = {"delta.targetFileSize": str(8 * 2**20), "delta.checkpointInterval": "50"}
_NONE = Messages([], 0, 0)


@dataclass(frozen=True)
class SliceReport:
    """What one merge commit did: change events folded, messages rejected, the batch that silver reached."""

    changes: int
    rejected: int
    up_to_batch: int


class SilverTable:
    """One silver table, and how to merge into it.

    Args:
        layout: Addresses of the lake.
        contract: The table's contract.
        placeholder: What the source's events carry in place of a value that a change leaves out.
        beginning: What an empty table starts from.
        read_until: Marker behind which the rows had been read that the table begins with.
        uri: Address of a table that is not, or not yet, the source table's own.
        seen_by: Merge only changes that this moment of the source saw, and send nothing to quarantine: a trial.
    """

    def __init__(
        self,
        layout: LakeLayout,
        contract: TableContract,
        *,
        placeholder: str,
        beginning: SilverProgress = START,
        read_until: Marker = NO_MARKER,
        uri: str | None = None,
        seen_by: SourceMoment | None = None,
    ) -> None:
        self._layout = layout
        self._seen_by = seen_by
        self.beginning = beginning
        self.read_until = read_until
        self.contract = contract
        self.placeholder = placeholder
        self.columns: Columns = columns_of(contract)
        self.uri = uri or layout.silver(contract.table)
        self.schema = silver_schema(contract, self.columns)
        self.reload()

    def reload(self) -> Self:
        """Looks at the newest version."""
        self.table: DeltaTable = ensure_table(
            self.uri, self.schema, configuration=_CONFIGURATION | statistics_properties(self.columns)
        )
        empty = SilverProgress(self.beginning.batch, BEGINNING) if self._was_read_beside else self.beginning
        self.progress = SilverProgress.of(self.table) or empty
        if self.awaits_rows:
            # They come with all changes since they were read, of keys that were purged meanwhile, too.
            self.progress = replace(self.progress, purged_lsn=0)
        return self

    @property
    def batch(self) -> int:
        """The last bronze batch that is merged."""
        return self.progress.batch

    @property
    def awaits_rows(self) -> bool:
        """Rows that were read while the table changed are still to be merged."""
        return self._was_read_beside and self.progress.floor < self.beginning.floor

    @property
    def _was_read_beside(self) -> bool:
        return self.beginning.floor.prev_commit_lsn > 0

    def merge_rows(self, files: Sequence[BronzeFile], *, after_batch: int, up_to_batch: int) -> None:
        """Merges of some batches the rows that the table begins with, and no changes.

        They go before all changes: a change can be in bronze before the row that it is of. Progress stays as it is;
        done again, it changes nothing.

        Raises:
            CommitConflict: Another merge committed first.
            ContractMismatch: The rows' columns, or silver's own, are not the contract's: the table is held.
        """
        self.adopt_columns()
        with scratch_connection(self._layout.root) as connection:
            self._decode(connection, Messages([f.path for f in files], after_batch, up_to_batch))
            connection.execute("DELETE FROM changes WHERE _cdc_op IS DISTINCT FROM 'r'")
            self._check_shape(connection)
            # The merge of the changes sends them to quarantine.
            connection.execute("DELETE FROM changes WHERE reason IS NOT NULL")
            fold_changes(connection, self.columns)
            self._write(connection, None, up_to_batch=self.batch)

    def merge(
        self,
        files: Sequence[BronzeFile],
        *,
        up_to_batch: int,
        through: Marker | None = None,
        later: Messages = _NONE,
    ) -> SliceReport:
        """Merges the bronze batches after this table's own, up to `up_to_batch`.

        Where the table awaits rows, they are merged already (`merge_rows`), and this goes on from its beginning.

        Args:
            files: The files of bronze that hold them.
            up_to_batch: The last batch to read.
            through: Leave what was committed after this marker, and stay before its first batch.
            later: The pending messages after these.

        Raises:
            CommitConflict: Another merge committed first: reload, and see what is left to do.
            ContractMismatch: The events' columns, or silver's own, are not the contract's: the table is held.
        """
        self.adopt_columns()
        after_batch = self.beginning.batch if self.awaits_rows else self.batch
        messages = Messages([f.path for f in files], after_batch, up_to_batch)
        with scratch_connection(self._layout.root) as connection:
            changes = self._decode(connection, messages)
            if through is not None:
                messages = replace(messages, up_to_batch=self._hold(connection, messages, through))
            floor = self._floor(connection)
            if self.contract.key:
                purged = self.progress.purged
                drop_purged(connection, self.table, uri=self.uri, columns=self.columns, purged=purged)
                fold_with_stored(
                    connection,
                    self.table,
                    uri=self.uri,
                    columns=self.columns,
                    floor=floor,
                    read_until=self.read_until if self._was_read_beside else NO_MARKER,
                    later=self._decode_sql(later),
                )
            rejected = 0
            if self._seen_by is None:
                rejected = quarantine_rejected(connection, self._layout, table=self.contract.table, messages=messages)
            failpoint("quarantined")
            self._write(connection, floor, up_to_batch=messages.up_to_batch)
        failpoint("silver-committed")
        return SliceReport(changes, rejected, messages.up_to_batch)

    def raise_floor(self, position: Position) -> None:
        """Deletes the rows below a position, where all that the source has was read behind it, and is merged.

        Raises:
            CommitConflict: Another merge committed first: reload, and try again.
        """
        self.adopt_columns()
        with scratch_connection(self._layout.root) as connection:
            self._decode(connection, _NONE)
            if self.contract.key:
                fold_changes(connection, self.columns)
            self._write(connection, Floor(position), up_to_batch=self.batch)

    @property
    def lacks_columns(self) -> bool:
        """The contract has columns that no row has yet."""
        return not set(self.schema.names) <= set(self.table.schema().to_arrow().names)

    def adopt_columns(self) -> None:
        """Gives the table the columns that the contract gained, filled as the source filled them.

        Raises:
            CommitConflict: Another merge committed first: reload, and try again.
            ContractMismatch: The table has other columns, which no adding makes right.
        """
        adopt_columns(
            self.table,
            uri=self.uri,
            schema=self.schema,
            contract=self.contract,
            columns=self.columns,
            progress=self.progress.as_transactions(),
        )
        adopt_statistics(self.table, self.columns)

    def _hold(self, connection: duckdb.DuckDBPyConnection, messages: Messages, through: Marker) -> int:
        """Takes out of `changes` what was committed after the marker; returns the last batch without such changes."""
        # What has no position is on its way to the quarantine, and holds up nothing.
        later = f"(_cdc_epoch, _cdc_prev_commit_lsn) >= ({through.epoch}, {through.lsn})"
        condition = f"_cdc_epoch IS NOT NULL AND {later}"
        [(first,)] = connection.execute(f"SELECT min(batch) FROM changes WHERE {condition}").fetchall()
        connection.execute(f"DELETE FROM changes WHERE {condition}")
        return messages.up_to_batch if first is None else int(first) - 1

    def _decode(self, connection: duckdb.DuckDBPyConnection, messages: Messages) -> int:
        """Makes the table `changes`; returns how many events there are.

        Rows of other readings than the one that the table begins with are not its business: changes do not wait for
        them, and they may be newer than the changes that they would be merged among.
        """
        connection.execute(f"CREATE TEMP TABLE changes AS {self._decode_sql(messages)}")
        own = f"(_cdc_epoch, _cdc_prev_commit_lsn) = ({names(map(str, self.beginning.floor[:2]))})"
        connection.execute(f"DELETE FROM changes WHERE was_read_beside AND _cdc_op = 'r' AND NOT {own}")
        if self._seen_by is not None:
            unseen = self._seen_by.does_not_see("transaction_id")
            connection.execute(f"DELETE FROM changes WHERE _cdc_op IS DISTINCT FROM 'r' AND {unseen}")
        [(count,)] = connection.execute("SELECT count(*) FROM changes").fetchall()
        return int(count)

    def _decode_sql(self, messages: Messages) -> str:
        return decode_sql(self.columns, messages, placeholder=self.placeholder, both_images=not self.contract.key)

    def _floor(self, connection: duckdb.DuckDBPyConnection) -> Floor | None:
        """Moves what can't be read to `rejected`, drops what lies below the floor; returns a floor that is new."""
        found = find_floor(connection)
        # Changes from before the table was read anew may be of other columns: they are not even to be read.
        connection.execute(f"DELETE FROM changes WHERE {is_below('changes', self.beginning.floor)}")
        # Before anything is rejected: what a changed table writes may not be readable by the old contract.
        self._check_shape(connection)
        connection.execute(
            "CREATE TEMP TABLE rejected AS "
            "SELECT topic_id, stream_partition, stream_offset, reason FROM changes WHERE reason IS NOT NULL"
        )
        connection.execute("DELETE FROM changes WHERE reason IS NOT NULL")
        if self.awaits_rows:
            connection.execute("DELETE FROM changes WHERE _cdc_op = 'r'")
            read = Floor(self.beginning.floor)
            found = read if found is None else max(found, read, key=lambda floor: floor.position)
        floor = found if found is not None and found.position > self.progress.floor else None
        drop_below(connection, self.progress.floor if floor is None else floor.position)
        return floor

    def _write(self, connection: duckdb.DuckDBPyConnection, floor: Floor | None, *, up_to_batch: int) -> None:
        progress = self.progress.advance(up_to_batch, self.progress.floor if floor is None else floor.position)
        write = merge_folded if self.contract.key else append_images
        write(
            connection,
            self.table,
            uri=self.uri,
            schema=self.schema,
            columns=self.columns,
            floor=floor,
            progress=progress.as_transactions(),
        )
        self.progress = progress

    def _check_shape(self, connection: duckdb.DuckDBPyConnection) -> None:
        # What has no position is no change of the table, whatever it looks like.
        strange = connection.execute(
            "SELECT strange_shape FROM changes WHERE strange_shape IS NOT NULL AND _cdc_epoch IS NOT NULL LIMIT 1"
        )
        for (shape,) in strange.fetchall():
            unknown = sorted(set(shape) - {c.name for c in self.contract.columns})
            raise held(self.contract, f"events have columns that the contract does not know: {', '.join(unknown)}")
