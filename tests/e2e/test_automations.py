"""Automations are what the code says, and do what they say."""

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName, FlowFilter, FlowFilterName
from prefect.events.actions import DoNothing
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from connectors.errors import ConfigurationError
from connectors.postgres.identifiers import TableName
from deployments.automations import apply_automations, notification, plan_automations
from tasks.events import emit_moved


@pytest.fixture
def client(settings):
    with get_client(sync_client=True) as client:
        yield client


def builds(client):
    return client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=["build-marts"])),
        deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=["marts-local"])),
    )


def test_applying_automations_again_changes_nothing(client):
    planned = plan_automations(client, pool="local", notify=DoNothing())
    apply_automations(client, planned)
    assert apply_automations(client, planned) == []
    assert len(apply_automations(client, planned, turned="on")) == len(planned)
    assert apply_automations(client, planned) == []
    assert len(apply_automations(client, planned, turned="off")) == len(planned)
    names = [name for wanted in planned for name in client.read_automations_by_name(wanted.name)]
    assert [there.enabled for there in names] == [False] * len(planned)


def test_missing_block_is_an_error(client):
    with pytest.raises(ConfigurationError, match="the server has no block slack-webhook/nobody"):
        notification(client, "slack-webhook/nobody")


def test_marts_are_built_when_rows_have_moved(client):
    [moved, *_] = plan_automations(client, pool="local", notify=DoNothing())
    before = {run.id for run in builds(client)}
    apply_automations(client, [moved], turned="on")
    try:

        def new_builds():
            # Told again until the server has taken notice of the automation.
            emit_moved("shop", {TableName("public", "orders"): 1})
            return [run for run in builds(client) if run.id not in before]

        found = Retrying(retry=retry_if_result(lambda runs: not runs), stop=stop_after_delay(60), wait=wait_fixed(1))(
            new_builds
        )
    finally:
        apply_automations(client, [moved], turned="off")
    assert found[0].parameters == {"only_if_moved": True}
