"""Data files of a table: which are small, how far their ranges overlap, and how they are written again.

Conflicts with other writers are safe: what a step read must still be there when it commits, else it fails and is tried
again; a merge that loses against it reloads, and merges again.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

from connectors.lake.commits import WRITER, committing, optimistically
from connectors.lake.maintenance.steps import Step
from connectors.lake.storage import data_files, open_table

_SMALL = 4
"""A file of less than this part of the target is small."""
_SORTED_FILES = 8
_SORTED_DEPTH = 4


def compact(uri: str, *, target: int, at_least: int, dry_run: bool) -> Step | None:
    """Merges small files into larger ones, if there are enough of them.

    Args:
        uri: Address of the table.
        target: Bytes that a file is to have.
        at_least: From how many small files on it is worth it.
        dry_run: Only say what would be done.

    Returns:
        None: it is not worth it, or there is no such table.

    Raises:
        CommitConflict: Other writers won every race.
    """

    def attempt() -> Step | None:
        table = open_table(uri)
        files = [] if table is None else data_files(uri, table)
        small = [file for file in files if file["size_bytes"] < target // _SMALL]
        if table is None or len(small) < at_least:
            return None
        if not dry_run:
            with committing(table):
                # One at a time: each holds the rows of a file.
                table.optimize.compact(target_size=target, max_concurrent_tasks=1, writer_properties=WRITER)
        return Step("compact", f"{len(small)} of {len(files)} files are small", len(small), _size(small))

    return optimistically(attempt)


def sort(uri: str, columns: Sequence[str], *, target: int, dry_run: bool) -> Step | None:
    """Sorts a table along a z-order curve, if the ranges of its files overlap too much to skip any.

    Args:
        uri: Address of the table.
        columns: The columns; of the first one, the statistics of the files say how far they overlap.
        target: Bytes that a file is to have.
        dry_run: Only say what would be done.

    Returns:
        None: it is not worth it, there is no such table, or there are no statistics.

    Raises:
        CommitConflict: Other writers won every race.
    """

    def attempt() -> Step | None:
        table = open_table(uri)
        files = [] if table is None else data_files(uri, table)
        found = depth([(file.get(f"min.{columns[0]}"), file.get(f"max.{columns[0]}")) for file in files])
        # Along a curve through several columns, the ranges of each one overlap by themselves.
        by_itself = len(files) ** (1 - 1 / len(columns))
        if table is None or len(files) < _SORTED_FILES or found < max(_SORTED_DEPTH, 3 * by_itself):
            return None
        if not dry_run:
            with committing(table):
                table.optimize.z_order(
                    list(columns), target_size=target, max_concurrent_tasks=1, writer_properties=WRITER
                )
        reason = f"a value of {columns[0]} may be in {found:.0f} of {len(files)} files"
        return Step("sort", reason, len(files), _size(files))

    return optimistically(attempt)


def depth(ranges: Sequence[tuple[Any, Any]]) -> float:
    """Returns how many of these ranges one of them overlaps with, itself included, on average; zero: not known."""
    if not ranges or any(low is None or high is None for low, high in ranges):
        return 0
    lows, highs = sorted(low for low, _ in ranges), sorted(high for _, high in ranges)
    return sum(bisect_right(lows, high) - bisect_left(highs, low) for low, high in ranges) / len(ranges)


def _size(files: Sequence[dict[str, Any]]) -> int:
    return sum(file["size_bytes"] for file in files)
