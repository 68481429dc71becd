"""Which changes of a slice count, before any of them is folded."""

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.changes.columns import names
from connectors.changes.low_watermark import LowWatermark, find_low_watermark
from connectors.changes.markers import Marker
from connectors.changes.order import is_below
from connectors.changes.workspace import MergeWorkspace
from connectors.lake.silver.baseline import Baseline
from connectors.lake.silver.schema import table_paused
from connectors.postgres.contracts import TableContract


@dataclass(frozen=True)
class Narrowed:
    """What was found while changes were narrowed.

    Attributes:
        low_watermark: The highest one that they set; None: they set none.
        strange_shape: Columns of a change that the contract does not know; None: it knows all.
    """

    low_watermark: LowWatermark | None
    strange_shape: Sequence[str] | None


def drop_other_resyncs(work: MergeWorkspace, baseline: Baseline) -> None:
    """Drops the rows of other resyncs than the baseline's from `changes`.

    Changes do not wait for them, and they may be newer than the changes that they would be merged among.
    """
    own = f"(_cdc_epoch, _cdc_prev_commit_lsn) = ({names(map(str, baseline.position[:2]))})"
    work.delete("changes", f"is_resync AND _cdc_op = 'r' AND NOT {own}")


def hold_back(work: MergeWorkspace, through: Marker) -> int | None:
    """Takes out of `changes` what was committed after the marker; returns its first batch, None if there is none."""
    # What has no position is on its way to the quarantine, and holds up nothing.
    later = f"_cdc_epoch IS NOT NULL AND (_cdc_epoch, _cdc_prev_commit_lsn) >= ({through.epoch}, {through.lsn})"
    [(first,)] = work.connection.execute(f"SELECT min(batch) FROM changes WHERE {later}").fetchall()
    work.delete("changes", later)
    return None if first is None else int(first)


def narrow(work: MergeWorkspace, baseline: Baseline) -> Narrowed:
    """Drops what comes before the baseline from `changes`, and moves what can't be read to `rejected`."""
    found = find_low_watermark(work)
    # Changes from before the baseline may be of other columns: they are not even to be read.
    work.delete("changes", is_below("changes", baseline.position))
    # Before anything is rejected: what a changed table writes may not be readable by the old contract.
    shape = strange_shape(work)
    work.create(
        "rejected", "SELECT topic_id, stream_partition, stream_offset, reason FROM changes WHERE reason IS NOT NULL"
    )
    work.delete("changes", "reason IS NOT NULL")
    return Narrowed(found, shape)


def strange_shape(work: MergeWorkspace) -> Sequence[str] | None:
    """Returns the columns of a change in `changes` that has others than the contract; None: there is none."""
    # What has no position is no change of the table, whatever it looks like.
    query = "SELECT strange_shape FROM changes WHERE strange_shape IS NOT NULL AND _cdc_epoch IS NOT NULL LIMIT 1"
    shapes = work.connection.execute(query).fetchall()
    return shapes[0][0] if shapes else None


def require_known_columns(contract: TableContract, shape: Sequence[str] | None) -> None:
    """Does nothing if the contract knows the columns of all changes.

    Raises:
        ContractMismatch: It does not: the table is paused.
    """
    if shape is not None:
        unknown = sorted(set(shape) - {column.name for column in contract.columns})
        raise table_paused(contract, f"events have columns that the contract does not know: {', '.join(unknown)}")
