"""The roles on AWS may do what they need, on what is theirs."""

import json
import re
from pathlib import Path
from string import Template

import pytest

FOLDER = Path(__file__).parents[2] / "deployments" / "iam"
POLICIES = sorted(FOLDER.glob("*.json"))
# AWS knows no resource for these.
ANYWHERE = {"ecs:DescribeTaskDefinition", "ecs:RegisterTaskDefinition", "ecr:GetAuthorizationToken"}


def statements(path):
    names = set(re.findall(r"\$\{(\w+)\}", path.read_text()))
    # As Terraform's templatefile does: every placeholder has a value, and the result is JSON.
    policy = json.loads(Template(path.read_text()).substitute({name: f"a-{name}" for name in names}))
    assert policy["Version"] == "2012-10-17"
    return policy["Statement"]


def test_there_is_a_role_for_each_part():
    assert [path.stem for path in POLICIES] == [
        "ecs-execution",
        "ecs-task",
        "ecs-trust",
        "ecs-worker",
        "spark-job",
        "spark-trust",
    ]


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_no_statement_allows_more_than_it_names(path):
    for statement in statements(path):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not [action for action in actions if "*" in action]
        if "*" in statement.get("Resource", []):
            assert set(actions) <= ANYWHERE


def test_roles_can_be_given_to_tasks_alone():
    [passing] = [s for s in statements(FOLDER / "ecs-worker.json") if "iam:PassRole" in s["Action"]]
    assert passing["Resource"] == ["a-execution_role_arn", "a-task_role_arn"]
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def test_flows_give_the_job_on_spark_its_role_alone():
    [passing] = [s for s in statements(FOLDER / "ecs-task.json") if "iam:PassRole" in s["Action"]]
    assert passing["Resource"] == ["a-spark_role_arn"]
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "emr-serverless.amazonaws.com"}}


def test_job_on_spark_reads_and_writes_the_lake_and_leaves_its_code_alone():
    *of_lake, code, logs = statements(FOLDER / "spark-job.json")
    assert of_lake == statements(FOLDER / "ecs-task.json")[:2]
    assert (code["Action"], code["Resource"]) == (["s3:GetObject"], ["arn:aws:s3:::a-code_bucket/a-code_prefix/*"])
    assert (logs["Action"], logs["Resource"]) == (["s3:PutObject"], ["arn:aws:s3:::a-log_bucket/*"])


def test_flows_touch_the_lake_its_databases_and_its_spark_jobs_alone():
    *of_lake, of_catalog, of_spark, _ = statements(FOLDER / "ecs-task.json")
    application = "arn:aws:emr-serverless:a-region:a-account:/applications/a-spark_application"
    assert of_spark["Resource"] == [application, f"{application}/jobruns/*"]
    for statement in of_lake:
        assert all(action.startswith("s3:") for action in statement["Action"])
        assert all(resource.startswith("arn:aws:s3:::a-bucket") for resource in statement["Resource"])
    assert all(action.startswith("glue:") for action in of_catalog["Action"])
    glue = "arn:aws:glue:a-region:a-account:"
    assert of_catalog["Resource"] == [
        f"{glue}catalog",
        f"{glue}database/a-catalog_prefix*",
        f"{glue}table/a-catalog_prefix*/*",
    ]
