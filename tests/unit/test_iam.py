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
    assert [path.stem for path in POLICIES] == ["ecs-execution", "ecs-task", "ecs-trust", "ecs-worker"]


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


def test_flows_touch_the_lake_and_its_databases_alone():
    *of_lake, of_catalog = statements(FOLDER / "ecs-task.json")
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
