"""Runs partitions in parallel."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import copy_context

from connectors.backfill.entry import Entry
from connectors.backfill.partitions import Partition
from connectors.errors import TerminalError


def run_all(
    partitions: Sequence[Partition],
    work: Callable[[Partition], Entry],
    *,
    parallel: int,
    on_end: Callable[[], None],
) -> None:
    """Runs partitions, some at a time; the failure of one leaves the others alone.

    Args:
        partitions: What to run, in order.
        work: Runs one of them.
        parallel: How many at a time.
        on_end: Called after each, by the calling thread.

    Raises:
        TerminalError: Some failed; it names them.
    """
    failed: dict[str, BaseException] = {}
    pool = ThreadPoolExecutor(parallel)
    try:
        futures = {pool.submit(copy_context().run, work, partition): partition for partition in partitions}
        for future in as_completed(futures):
            if (error := future.exception()) is not None:
                failed[futures[future].key] = error
            on_end()
    finally:
        # Of a run that is to stop, what has begun ends and nothing more begins.
        pool.shutdown(cancel_futures=True)
    if failed:
        raise TerminalError(
            f"{len(failed)} of {len(partitions)} partitions failed: {', '.join(sorted(failed))}",
            hint="`lakehouse partitions` says why; the others are done, and the next run takes up only what is missing",
            partitions=tuple(sorted(failed)),
        ) from BaseExceptionGroup("partitions failed", list(failed.values()))
