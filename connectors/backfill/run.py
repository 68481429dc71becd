"""Runs one partition: claim, run, record. A run that is killed in between leaves it to the next one."""

from threading import Event, Thread
from types import TracebackType
from typing import Self

from tenacity import Retrying, retry_if_result, wait_fixed

from connectors.backfill.entry import Entry, State
from connectors.backfill.ledger import Ledger
from connectors.backfill.partitions import Partition
from connectors.backfill.targets import Target
from connectors.errors import CommitConflict, TransientError
from connectors.failpoints import failpoint

_LONGEST_ERROR = 2_000
_LOOK_SECONDS = 0.5


def run_partition(ledger: Ledger, target: Target, partition: Partition, *, run: str) -> Entry:
    """Runs a partition, unless it is done; waits for another run that works on it, as long as that one lives.

    Args:
        ledger: The target's ledger.
        target: The target.
        partition: The partition.
        run: What to call this run in the ledger; no other run may have the name.

    Raises:
        CommitConflict: Another run took it over, because this one did not renew its hold in time.
    """
    until_ours = Retrying(
        retry=retry_if_result(lambda entry: entry.is_held(ledger.clock()) and entry.run != run),
        wait=wait_fixed(_LOOK_SECONDS),
    )
    claimed = until_ours(ledger.claim, partition, run=run)
    if claimed.state is State.DONE:
        return claimed
    with _Hold(ledger, claimed) as hold:
        try:
            rows = target.run(partition)
        except Exception as error:
            ledger.fail(hold.end(), f"{type(error).__name__}: {error}"[:_LONGEST_ERROR])
            raise
    failpoint("partition-written")
    return ledger.finish(hold.entry, rows=rows)


class _Hold:
    """Renews a run's hold on its partition, in a thread."""

    def __init__(self, ledger: Ledger, entry: Entry) -> None:
        self.entry = entry
        self._ledger = ledger
        self._ended = Event()
        self._thread = Thread(target=self._renew, name=f"hold {entry.partition}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> Entry:
        """Stops renewing; returns the newest entry."""
        self._ended.set()
        self._thread.join()
        return self.entry

    def _renew(self) -> None:
        while not self._ended.wait(self._ledger.lease.total_seconds() / 3):
            try:
                self.entry = self._ledger.renew(self.entry)
            except CommitConflict:
                return  # lost: recording the outcome will say so
            except TransientError:
                continue  # the storage may answer the next time
