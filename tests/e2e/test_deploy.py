"""`lakehouse deploy` brings a server to what `prefect.yaml` says: all of it or nothing, and says what changes."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

import flows
from connectors.errors import ConfigurationError
from connectors.settings import load_settings
from deployments.choices import parameter_choices
from deployments.deploy import apply_changes, plan_changes
from deployments.targets import PREFECT_FILE, TARGETS
from deployments.validate import load_deployments

ROOT = Path(__file__).parents[2]
LOCAL = TARGETS["local"]
FLOWS = {name.replace("_", "-") for name in flows.__all__}
DEPLOYMENTS = len(FLOWS) + 1  # of batch loads there is one for each of two sources


@pytest.fixture
def client(settings):
    with get_client(sync_client=True) as client:
        yield client


def deploy(*arguments):
    command = [sys.executable, "-m", "deployments.cli", "deploy", "--pool", "local", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def plan(client, **how):
    choices = parameter_choices(load_settings())
    found = load_deployments(PREFECT_FILE, LOCAL.variables(None))
    changes = plan_changes(client, found, LOCAL, choices=choices, **how)
    assert {change.flow_name for change in changes} == FLOWS
    assert len(changes) == DEPLOYMENTS
    return changes


def version(client):
    return client.read_deployment_by_name("drain-cdc/drain-local").version


def test_what_is_deployed_already_changes_nothing(client):
    deploy()
    before = client.read_deployment_by_name("drain-cdc/drain-local").updated
    shown = deploy().splitlines()
    assert {line.partition("/")[0] for line in shown} == {f"= {name}" for name in FLOWS}
    assert client.read_deployment_by_name("drain-cdc/drain-local").updated == before


def test_form_of_a_run_explains_its_parameters(client):
    schema = client.read_deployment_by_name("reconcile-tables/reconcile-local").parameter_openapi_schema
    assert schema["properties"]["drain"]["type"] == "boolean"
    assert "patterns with `*` and `?`" in schema["properties"]["tables"]["description"]
    schema = client.read_deployment_by_name("backfill/backfill-local").parameter_openapi_schema
    by_day = ["fct_daily_sales", "shop_s3.clickstream", "shop_s3.parcels"]
    assert schema["properties"]["target"]["enum"] == [*by_day, "silver"]
    assert (
        "0/27830028"
        in client.read_deployment_by_name("drain-cdc/drain-local").parameter_openapi_schema["properties"][
            "through_lsn"
        ]["description"]
    )


def test_change_is_shown_before_it_is_made(client):
    there = version(client)
    changes = plan(client, version="next")
    assert [change.differences for change in changes] == [[("version", there, "next")]] * DEPLOYMENTS
    assert version(client) == there
    apply_changes(client, changes)
    assert version(client) == "next"
    assert "~ drain-cdc/drain-local\n    version: next -> " in deploy("--dry-run")
    assert version(client) == "next"


def test_refused_deployment_puts_the_others_back(client):
    apply_changes(client, plan(client, version="first"))
    there = client.read_deployment_by_name("drain-cdc/drain-local")
    *good, last = plan(client, version="second")
    new = replace(good[0], name="new", before=None)
    refused = replace(last, after={**last.after, "work_pool_name": "no-such-pool"})
    with pytest.raises(ConfigurationError, match='Work pool "no-such-pool" not found'):
        apply_changes(client, [new, *good, refused])
    with pytest.raises(ObjectNotFound):
        client.read_deployment_by_name(new.full_name)
    assert not any(change.differences for change in plan(client, version="first"))
    again = client.read_deployment_by_name("drain-cdc/drain-local")
    assert (again.id, again.global_concurrency_limit.limit) == (there.id, there.global_concurrency_limit.limit)


def test_deploying_again_leaves_a_schedule_on(client):
    # The daily one: it does not fire before it is off again.
    name = "reconcile-tables/reconcile-local"

    def deployed(**how):
        apply_changes(client, [change for change in plan(client, **how) if change.full_name == name])
        [schedule] = client.read_deployment_by_name(name).schedules
        return schedule.active

    assert deployed(version="a", schedules="off") is False
    assert deployed(version="a", schedules="on") is True
    assert deployed(version="b") is True
    assert deployed(version="b", schedules="off") is False
    assert deployed(version="c") is False


def test_missing_work_pool_is_an_error(client):
    docker = TARGETS["docker"]
    with pytest.raises(ConfigurationError, match="the server has no work pool docker") as caught:
        plan_changes(client, load_deployments(PREFECT_FILE, docker.variables("flows:1")), docker, version="a")
    assert "lakehouse pool docker" in caught.value.hint
