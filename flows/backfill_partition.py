"""One partition of a backfill, as a run of its own."""

from prefect.runtime import flow_run

from connectors.settings import load_settings
from flows.outcome import ended, nothing
from flows.served import flow
from tasks.backfill import run_partition
from tasks.words import counted


def _run_name() -> str:
    return f"{flow_run.parameters['target']} {flow_run.parameters['partition']}"


@flow(name="backfill-partition", flow_run_name=_run_name)
def backfill_partition(target: str, partition: str) -> None:
    """Runs one partition of a target, unless it is done; `backfill` starts one run of this per partition.

    Args:
        target: The target.
        partition: A day (`2026-03-29`), a week (`2026-W13`), a month (`2026-03`), or a table (`public.orders`).
    """
    entry = run_partition(load_settings(), target, partition)
    return ended(nothing, "done" if entry.rows is None else f"done, {counted(entry.rows, 'row')}")
