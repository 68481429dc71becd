"""The pending batches of a silver table: in which slices, and in which order they are merged."""

from collections.abc import Iterator, Sequence

from connectors.changes.decode import Messages
from connectors.changes.markers import Marker
from connectors.lake.bronze import BronzeFile, BronzeLog
from connectors.lake.layout import log_name
from connectors.lake.silver.merge import SilverMerge, SliceReport


def merge_pending(
    bronze: BronzeLog,
    merge: SilverMerge,
    *,
    partitions: int,
    up_to_batch: int,
    through: Marker | None = None,
    rows: int,
    size: int,
) -> Iterator[SliceReport]:
    """Merges what is pending, slice by slice.

    A table whose rows are being read waits until all of them are in bronze; then they go before all changes.

    Args:
        bronze: The change log.
        merge: The table to merge into, and where.
        partitions: How many stream partitions the table's topic has.
        up_to_batch: The last batch to read.
        through: Everything committed before this marker is in bronze up to that batch; None: it is the newest one.
        rows: About how many rows a slice has at the most.
        size: About how many bytes a slice has at the most.

    Raises:
        CommitConflict: Another merge committed first: reload, and see what is left to do.
        ContractMismatch: The events' columns, or silver's own, are not the contract's: the table is paused.
    """
    silver = merge.silver
    after_batch = silver.batch
    if silver.awaits_resync:
        if (bronze.through if through is None else through) < silver.baseline.complete_at:
            return
        after_batch = silver.baseline.batch
    elif silver.baseline.is_pending:
        return
    contract = silver.contract
    files = bronze.files(after_batch=after_batch, up_to_batch=up_to_batch).get(log_name(contract.table), [])
    if silver.awaits_resync:
        for part, cut in slices(files, rows=rows, size=size, up_to_batch=up_to_batch):
            merge.merge_resync(part, after_batch=after_batch, up_to_batch=cut)
            after_batch = cut
    if contract.key and partitions > 1:
        # An older change may be in a newer batch, by another stream partition: all that is pending is one slice.
        if files:
            yield merge.merge_changes(files, up_to_batch=up_to_batch, through=bronze.through)
        return
    # Progress never goes back, also where the table goes on from an earlier beginning.
    for part, cut in slices(files, rows=rows, size=size, up_to_batch=up_to_batch, at_least=silver.batch):
        later = Messages([f.path for f in files if f.last_batch > cut], cut, up_to_batch)
        yield merge.merge_changes(part, up_to_batch=cut, later=later)


def slices(
    files: Sequence[BronzeFile], *, rows: int, size: int, up_to_batch: int, at_least: int = 0
) -> Iterator[tuple[list[BronzeFile], int]]:
    """Cuts files, oldest first, into slices of whole batches of about `rows` and `size` bytes at the most.

    The first slice reaches batch `at_least`. Yields the files of a slice and the batch it reaches; a file that spans
    a cut is in both slices.
    """
    start = 0
    while start < len(files):
        stop, taken_rows, taken_size = start, 0, 0
        while stop < len(files) and (
            stop == start or files[stop].first_batch <= at_least or (taken_rows < rows and taken_size < size)
        ):
            taken_rows, taken_size = taken_rows + files[stop].rows, taken_size + files[stop].size
            stop += 1
        reached = max([at_least, *(f.last_batch for f in files[start:stop])])
        cut = min(up_to_batch, reached) if stop < len(files) else up_to_batch
        while stop < len(files) and files[stop].last_batch <= cut:
            stop += 1
        yield [f for f in files[start:] if f.first_batch <= cut], cut
        start = stop
