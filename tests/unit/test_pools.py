"""The base job templates fit the workers that read them, and give a run no more than it needs."""

import asyncio
import json

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.utilities.schema_tools import validate
from prefect.utilities.templating import find_placeholders
from prefect.workers.process import ProcessWorker
from prefect_aws.workers.ecs_worker import ECSWorker
from prefect_docker.worker import DockerWorker

from connectors.errors import ConfigurationError
from deployments.targets import TARGETS

WORKERS = {"local": ProcessWorker, "docker": DockerWorker, "ecs": ECSWorker}
ECS = {
    "image": "registry.example/lakehouse-flows:1",
    "cluster": "lake",
    "subnets": ["subnet-1"],
    "security_groups": ["sg-1"],
    "execution_role_arn": "arn:aws:iam::123456789012:role/execution",
    "task_role_arn": "arn:aws:iam::123456789012:role/task",
    "secrets": [{"name": "LAKEHOUSE_POSTGRES__PASSWORD", "valueFrom": "arn:aws:secretsmanager:x:1:secret:s:pw::"}],
}
VALUES = {"local": {}, "docker": {"image": "lakehouse-flows:1"}, "ecs": ECS}


def template(name):
    return json.loads(TARGETS[name].template.read_text())


def configured(name, **values):
    """What the worker makes of the template, as it does for every run."""
    worker = WORKERS[name]
    # Never asked: no value refers to something on a server.
    client = PrefectClient("http://127.0.0.1:1/api")
    values = {**VALUES[name], **values}
    return asyncio.run(worker.job_configuration.from_template_and_values(template(name), values, client=client))


@pytest.mark.parametrize("name", TARGETS)
def test_template_is_for_the_type_of_its_pool(name):
    assert WORKERS[name].type == TARGETS[name].pool_type


@pytest.mark.parametrize("name", TARGETS)
def test_worker_knows_all_that_the_template_says(name):
    known = set(WORKERS[name].get_default_base_job_template()["job_configuration"])
    assert set(template(name)["job_configuration"]) <= known


@pytest.mark.parametrize("name", TARGETS)
def test_every_variable_is_used_and_explained(name):
    content = template(name)
    variables = content["variables"]["properties"]
    assert {found.name for found in find_placeholders(content["job_configuration"])} == set(variables)
    assert [key for key, known in variables.items() if not (known.get("title") and known.get("description"))] == []


@pytest.mark.parametrize("name", TARGETS)
def test_defaults_fit_the_schema(name):
    schema = template(name)["variables"]
    defaults = {key: known["default"] for key, known in schema["properties"].items() if "default" in known}
    assert validate({**defaults, **VALUES[name]}, schema) == []
    assert set(schema.get("required", [])) <= set(VALUES[name])
    assert not set(schema.get("required", [])) & set(defaults)


def test_process_is_one_python():
    assert configured("local").command == "python -m prefect.engine"


def test_container_can_write_nowhere_but_in_its_mounts():
    configuration = configured("docker")
    create = configuration.container_create_kwargs
    assert (create["read_only"], create["cap_drop"], configuration.privileged) == (True, ["ALL"], False)
    assert list(create["tmpfs"]) == ["/tmp"]
    assert configuration.image == "lakehouse-flows:1"


def test_ecs_container_can_write_nowhere_but_in_its_mounts():
    [container] = configured("ecs").task_definition["containerDefinitions"]
    assert container["readonlyRootFilesystem"] is True
    assert [mount["containerPath"] for mount in container["mountPoints"]] == ["/tmp", "/var/lib/lakehouse"]


def test_ecs_task_reads_secrets_from_secrets_manager():
    [container] = configured("ecs").task_definition["containerDefinitions"]
    assert container["secrets"] == ECS["secrets"]
    assert "environment" not in container


def test_all_ecs_deployments_share_one_task_definition():
    # Prefect's default log prefix names the deployment: each run would then register a new revision.
    configuration = configured("ecs")
    assert configuration.match_latest_revision_in_family is True
    assert configuration.cloudwatch_logs_prefix == "flows"
    other = configured("ecs", launch_type="FARGATE", env={"LAKEHOUSE_CDC__SOURCE": "other"})
    assert configuration.task_definition == other.task_definition


@pytest.mark.parametrize("missing", ["image", "cluster", "subnets", "execution_role_arn", "task_role_arn"])
def test_ecs_pool_asks_for_what_it_needs(missing):
    values = {key: value for key, value in ECS.items() if key != missing}
    [error] = validate(values, template("ecs")["variables"])
    assert missing in error.message


def test_pool_takes_values_for_its_variables():
    made = TARGETS["docker"].job_template({"networks": ["lake"]})
    assert made["variables"]["properties"]["networks"]["default"] == ["lake"]
    with pytest.raises(ConfigurationError, match="the work pool docker has no variable network"):
        TARGETS["docker"].job_template({"network": ["lake"]})
