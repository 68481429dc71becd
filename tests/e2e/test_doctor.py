"""What the doctor says of the whole stack, Prefect included."""

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate

from deployments.doctor import examine


def blockers(settings):
    return [problem for problem in examine(settings) if problem.severity == "blocker"]


def test_stack_that_is_well_and_a_pool_without_a_worker(settings, shop):
    # Other tests share the stack: they leave runs and pools behind, but nothing that these would tell of.
    assert {"stack", "database", "capture", "stream", "Prefect"}.isdisjoint(found.area for found in blockers(settings))
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="nobody", type="process"))
        try:
            [found] = [found for found in blockers(settings) if "nobody" in found.problem]
        finally:
            client.delete_work_pool("nobody")
    assert (found.area, found.problem) == ("workers", "the work pool nobody has no live worker")
    assert "prefect worker start --pool nobody" in found.fix
