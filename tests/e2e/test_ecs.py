"""A worker for AWS ECS registers one task definition, starts a task for each run, and tells the server.

AWS is played by moto. What that does not prove is written in docs/deploying.md.
"""

import os
import subprocess
import sys

import boto3
import pytest
from prefect.client.orchestration import get_client
from prefect.deployments import run_deployment

from deployments.deploy import apply_changes, make_pool, plan_changes
from deployments.targets import PREFECT_FILE, TARGETS
from deployments.validate import load_deployments
from tests.s3 import local_s3

ECS = TARGETS["ecs"]
IMAGE = "registry.example/lakehouse-flows:1"
PASSWORD = {
    "name": "LAKEHOUSE_POSTGRES__PASSWORD",
    "valueFrom": "arn:aws:secretsmanager:us-east-1:1:secret:s:password::",
}


@pytest.fixture(scope="module")
def aws():
    """An account with a cluster and a network; its values for the pool."""
    with local_s3():
        boto3.client("ecs").create_cluster(clusterName="lake", capacityProviders=["FARGATE", "FARGATE_SPOT"])
        ec2 = boto3.client("ec2")
        subnet = ec2.describe_subnets()["Subnets"][0]
        group = ec2.create_security_group(GroupName="flows", Description="no ingress", VpcId=subnet["VpcId"])
        yield {
            "cluster": "lake",
            "subnets": [subnet["SubnetId"]],
            "security_groups": [group["GroupId"]],
            "execution_role_arn": "arn:aws:iam::123456789012:role/execution",
            "task_role_arn": "arn:aws:iam::123456789012:role/task",
            "secrets": [PASSWORD],
        }


@pytest.fixture(scope="module")
def pool(settings, aws):
    """The work pool, with the flows deployed to it."""
    with get_client(sync_client=True) as client:
        make_pool(client, ECS, aws)
        found = load_deployments(PREFECT_FILE, ECS.variables(IMAGE))
        apply_changes(client, plan_changes(client, found, ECS, version="1"))
        yield client
        client.delete_work_pool(ECS.name)


def work_once(settings):
    """Lets a worker take what is scheduled."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", ECS.name, "--type", "ecs", "--run-once"]
    subprocess.run(command, env=os.environ | {"PREFECT_API_URL": settings.prefect.api_url}, check=True, timeout=120)


def test_worker_starts_a_task_for_each_run(settings, pool):
    drain = run_deployment("drain-cdc/drain-ecs", timeout=0, as_subflow=False)
    work_once(settings)
    build = run_deployment("build-marts/marts-ecs", timeout=0, as_subflow=False)
    work_once(settings)

    ecs = boto3.client("ecs")
    # One revision for both, though another worker ran the second; with the image, and its secret by name alone.
    [revision] = ecs.list_task_definitions(familyPrefix="lakehouse-flows")["taskDefinitionArns"]
    [container] = ecs.describe_task_definition(taskDefinition=revision)["taskDefinition"]["containerDefinitions"]
    assert (container["image"], container["secrets"]) == (IMAGE, [PASSWORD])
    assert container["logConfiguration"]["options"]["awslogs-group"] == "/lakehouse/flows"

    for run in drain, build:
        seen = pool.read_flow_run(run.id)
        assert seen.state.is_pending(), seen.state
        cluster, _, arn = seen.infrastructure_pid.partition("::")
        [task] = ecs.describe_tasks(cluster=cluster, tasks=[arn])["tasks"]
        assert (task["taskDefinitionArn"], task["capacityProviderName"]) == (revision, "FARGATE_SPOT")
        [override] = task["overrides"]["containerOverrides"]
        environment = {variable["name"]: variable["value"] for variable in override["environment"]}
        assert environment["PREFECT__FLOW_RUN_ID"] == str(run.id)
        assert override["command"] == ["prefect", "flow-run", "execute"]


def test_worker_reports_a_task_that_could_not_start(settings, pool):
    gone = {"cluster": "gone"}
    run = run_deployment("reconcile-tables/reconcile-ecs", timeout=0, as_subflow=False, job_variables=gone)
    work_once(settings)
    state = pool.read_flow_run(run.id).state
    assert state.is_crashed(), state
    assert "cluster 'gone' not found" in state.message
