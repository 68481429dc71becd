"""Tasks of a backfill: one partition, run here or by the work pool."""

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, cast

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from tenacity import Retrying, retry_if_result, wait_fixed

from connectors.backfill.entry import Entry, State
from connectors.backfill.grid import Grid, make_grid
from connectors.backfill.partitions import Partition, Size
from connectors.errors import TerminalError
from connectors.settings import Settings
from tasks.policy import preset_task

if TYPE_CHECKING:
    from connectors.backfill.ledger import Ledger
    from connectors.backfill.plan import Plan

_LOOK_SECONDS = 2


@preset_task("plan {target}", "connectors.backfill.plan:plan_partitions")
def plan_partitions(
    settings: Settings, target: str, *, days: tuple[date | None, date | None], size: Size, parallel: int, force: bool
) -> "Plan":
    """Records which partitions of a range are to be run."""


@preset_task("{target} {key}", "connectors.backfill.plan:run_partition")
def run_partition(settings: Settings, target: str, key: str) -> Entry:
    """Runs one partition in this process."""


def read_grid(settings: Settings, target: str, partitions: Iterable[Partition]) -> Grid:
    """Looks up the status of partitions."""
    ledger = _open_ledger(settings, target)
    known = ledger.entries()
    return make_grid({p.key: known.get(p.key) for p in partitions}, ledger.clock())


@preset_task("{target} {partition.key}")
def start_partition(settings: Settings, target: str, partition: Partition, *, deployment: str) -> Entry:
    """Runs one partition in a run of a deployment; waits for a run that an earlier call started.

    Raises:
        TerminalError: The run failed, or is gone.
    """
    ledger = _open_ledger(settings, target)
    last = ledger.entries().get(partition.key)
    if last is not None and last.state is State.DONE:
        return last  # since the plan was made, by a run that an earlier call started
    begun = 0 if last is None else last.attempt
    attempt = begun if last is not None and last.is_held(ledger.clock()) else begun + 1
    started = run_deployment(
        deployment,
        parameters={"target": target, "partition": partition.key},
        # The same attempt is the same run, whoever asks for it.
        idempotency_key=f"{settings.cdc.source} {target} {partition.key} {attempt}",
        timeout=0,
        as_subflow=False,
    )
    run_id = cast(FlowRun, started).id  # the signature covers asynchronous use, too

    def goes_on(run: FlowRun) -> bool:
        last = ledger.entries().get(partition.key)
        # Of a run whose process is gone Prefect may not know.
        is_lost = last is not None and last.attempt == attempt and last.is_lost(ledger.clock())
        return not (_is_final(run) or is_lost)

    with get_client(sync_client=True) as client:
        until_it_ends = Retrying(retry=retry_if_result(goes_on), wait=wait_fixed(_LOOK_SECONDS))
        run = until_it_ends(client.read_flow_run, run_id)
    state = "gone" if run.state is None else f"{run.state.name}: {run.state.message}"
    entry = ledger.give_up(partition, attempt=attempt, error=f"run {run.name!r} ended silently: {state}")
    if entry.state is not State.DONE:
        raise TerminalError(f"{target} {partition.key}: {entry.error}", hint=f"the logs of run {run.name!r} say more")
    return entry


def _open_ledger(settings: Settings, target: str) -> "Ledger":
    from connectors.backfill.plan import open_ledger  # noqa: PLC0415 - start-up time, see `preset_task`

    return open_ledger(settings, target)


def _is_final(run: FlowRun) -> bool:
    return run.state is not None and run.state.is_final()
