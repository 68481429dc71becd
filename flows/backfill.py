"""A range of a target made anew, one partition at a time."""

from datetime import date
from functools import partial
from typing import Annotated

from prefect.runtime import deployment, flow_run
from pydantic import Field

from connectors.backfill.entry import Entry
from connectors.backfill.parallel import run_all
from connectors.backfill.partitions import Partition, Size
from connectors.settings import load_settings
from flows.served import flow
from tasks.backfill import plan_partitions, read_grid, run_partition, start_partition
from tasks.progress import BackfillProgress


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
    again: bool = False,
) -> None:
    """Makes a range of a target anew, each partition exactly once; the failure of one leaves the others done.

    Runs only what the ledger in the lake does not have as done. So a run that failed in part, or was killed, is
    continued by running it again, and a schedule without an end of the range catches up with what was missed.

    Args:
        target: What to make anew: a dbt model that is cut by days, or `silver` for all of its tables.
        since: First day of the range. Empty only for targets that are not cut by time.
        until: First day behind the range. Empty: up to the last partition that has ended.
        size: How long a partition is: a day, a week or a month, in the time zone of the settings.
        parallel: How many partitions may go on at a time; the marts are built one at a time.
        again: Also those that are done. Continue such a run without this, or it begins anew.
    """
    settings = load_settings()
    plan = plan_partitions(settings, target, days=(since, until), size=size, parallel=parallel, again=again)
    progress = BackfillProgress(target, len(plan.missing), partial(read_grid, settings, target, plan.partitions))
    # Where a worker runs this, each partition is a run of its own, on any machine of the pool.
    pool = f"backfill-partition/{deployment.name}" if deployment.id else None

    def work(partition: Partition) -> Entry:
        if pool is None:
            return run_partition(settings, target, partition.key)
        return start_partition(settings, target, partition, deployment=pool)

    try:
        run_all(plan.missing, work, parallel=plan.parallel, on_end=progress.advance)
    finally:
        progress.show()
