"""A range of a target, partition by partition."""

from datetime import date
from functools import partial
from typing import Annotated

from prefect.runtime import deployment, flow_run
from pydantic import Field

from connectors.backfill.entry import Entry
from connectors.backfill.parallel import run_all
from connectors.backfill.partitions import Partition, Size
from connectors.errors import TerminalError
from connectors.settings import load_settings
from flows.outcome import ended
from flows.served import flow
from tasks.backfill import plan_partitions, read_grid, run_partition, start_partition
from tasks.progress import BackfillProgress
from tasks.summaries import summarise_backfill


def _run_name() -> str:
    given = flow_run.parameters
    days = f" {given['since']} to {given['until'] or 'now'}" if given["since"] else ""
    return f"backfill {given['target']}{days}"


@flow(name="backfill", flow_run_name=_run_name)
def backfill(
    target: str,
    since: date | None = None,
    until: date | None = None,
    size: Size = Size.DAY,
    parallel: Annotated[int, Field(ge=1, le=64)] = 2,
    force: bool = False,
) -> None:
    """Runs the partitions of a range of a target, each exactly once; one that fails does not stop the others.

    Runs only partitions that the ledger in the lake does not list as done. To continue after a failure or an
    interruption, run it again; a schedule without an end date catches up with what it missed.

    Args:
        target: A dbt model partitioned by day, a table that is loaded by day (`shop_s3.clickstream`), or `silver` for
            all of its tables.
        since: Start date. Empty only for targets that are not partitioned by time.
        until: End date (exclusive). Empty: up to the last partition that has ended.
        size: Length of a partition: a day, a week or a month, in the time zone of the settings.
        parallel: How many partitions run at a time; marts are built one at a time.
        force: Also run partitions that are done. To continue such a run, leave this off, or it starts over.
    """
    settings = load_settings()
    plan = plan_partitions(settings, target, days=(since, until), size=size, parallel=parallel, force=force)
    look = partial(read_grid, settings, target, plan.partitions)
    progress = BackfillProgress(target, len(plan.missing), look)
    # Where a worker runs this, each partition is a run of its own, on any machine of the pool.
    pool = None
    if deployment.id is not None:
        pool = f"backfill-partition/partition-{deployment.name.removeprefix('backfill-')}"

    def work(partition: Partition) -> Entry:
        if pool is None:
            return run_partition(settings, target, partition.key)
        return start_partition(settings, target, partition, deployment=pool)

    failure: TerminalError | None = None
    try:
        run_all(plan.missing, work, parallel=plan.parallel, on_end=progress.advance)
    except TerminalError as error:
        failure = error
    finally:
        progress.show()
    return ended(partial(_raise_any, failure), summarise_backfill(look()))


def _raise_any(failure: TerminalError | None) -> None:
    if failure is not None:
        raise failure
