"""One partition of a backfill, as a run of its own."""

from prefect.runtime import flow_run

from connectors.settings import load_settings
from flows.served import flow
from tasks.backfill import run_partition


def _run_name() -> str:
    return f"{flow_run.parameters['target']} {flow_run.parameters['partition']}"


@flow(name="backfill-partition", flow_run_name=_run_name)
def backfill_partition(target: str, partition: str) -> None:
    """Makes one partition of a target anew, unless it is done; `backfill` starts a run of this for each.

    Args:
        target: What the partition is of.
        partition: A day (`2026-03-29`), a week (`2026-W13`), a month (`2026-03`), or a table (`public.orders`).
    """
    run_partition(load_settings(), target, partition)
