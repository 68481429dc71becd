"""`prefect.yaml` says nothing that Prefect would ignore or that would fail only when a run starts."""

import re
from collections import Counter
from copy import deepcopy

import pytest
import yaml

import flows
from connectors.errors import ConfigurationError
from deployments.targets import PREFECT_FILE, TARGETS
from deployments.validate import find_problems, load_deployments

FLOW = """
from prefect import flow

@flow
def move(rows: int = 1, *, table: str | None = None) -> None: ...

@flow
def asking(table: str) -> None: ...

@flow(name="other")
def renamed() -> None: ...

not_a_flow = 1
"""
SCHEDULE = {
    "slug": "daily",
    "cron": "0 6 * * *",
    "timezone": "Europe/Madrid",
    "active": False,
    "parameters": {"table": "orders"},
}
DEPLOYMENT = {
    "name": "local",
    "entrypoint": "code/flow.py:move",
    "description": "Moves rows.",
    "tags": ["cdc"],
    "parameters": {"rows": 2},
    "schedules": [SCHEDULE],
    "concurrency_limit": {"limit": 1, "collision_strategy": "ENQUEUE"},
    "work_pool": {"name": "pool"},
}


@pytest.fixture
def problems(tmp_path):
    folder = tmp_path / "a project"
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "flow.py").write_text(FLOW)

    def check(*deployments, **rest):
        file = folder / "prefect.yaml"
        file.write_text(yaml.safe_dump({"deployments": list(deployments), **rest}))
        return find_problems(file, {"POOL": "pool", "EMPTY": ""})

    return check


def changed(*path, **values):
    """A sound deployment with one thing changed; `path` leads to the place."""
    deployment = deepcopy(DEPLOYMENT)
    place = deployment
    for step in path:
        place = place[step]
    place.update(values)
    return deployment


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_project_file_deploys_every_flow_to_every_place(target):
    found = load_deployments(PREFECT_FILE, target.variables("lakehouse-flows:1"))
    # Of batch loads there is one for each source.
    wanted = {name.replace("_", "-"): 2 if name == "load_batch" else 1 for name in flows.__all__}
    assert Counter(one.flow.name for one in found) == wanted
    assert all(one.deployment.name.endswith(f"-{target.name}") for one in found)
    assert len({one.deployment.name for one in found}) == len(found)
    assert {one.deployment.work_pool.name for one in found} == {target.name}
    images = [one.deployment.work_pool.job_variables for one in found]
    assert images == [{"image": "lakehouse-flows:1"} if target.has_image else {}] * len(found)


def test_new_schedules_of_the_project_start_nothing():
    found = load_deployments(PREFECT_FILE, TARGETS["local"].variables(None))
    on = {one.name: [s.slug for s in one.deployment.schedules if s.active] for one in found}
    assert {name for name, slugs in on.items() if slugs} == set()


def test_scheduled_drains_do_not_pile_up():
    [drain] = [
        d for d in load_deployments(PREFECT_FILE, TARGETS["local"].variables(None)) if d.flow.name == "drain-cdc"
    ]
    assert [schedule.cron for schedule in drain.deployment.schedules] == ["* * * * *"]
    assert drain.deployment.concurrency_limit.limit == 1
    assert drain.deployment.concurrency_limit.options().collision_strategy == "CANCEL_NEW"


def test_containers_need_an_image():
    with pytest.raises(ConfigurationError, match="the work pool docker runs containers, and no image is named"):
        TARGETS["docker"].variables(None)


def test_placeholder_without_value_is_an_error(problems):
    with pytest.raises(ConfigurationError, match=r"prefect\.yaml asks for \$NOTHING"):
        problems(changed("work_pool", name="{{ $NOTHING }}"))


def test_place_comes_from_the_environment(problems):
    variables = {"image": "{{ $EMPTY }}", "command": "run {{ $POOL }} with {{ ctx.flow.name }}"}
    assert problems(changed(work_pool={"name": "{{ $POOL }}", "job_variables": variables})) == []
    [problem] = problems(changed(work_pool={"name": "{{ $EMPTY }}"}))
    assert re.search(r"work_pool\.name: .*at least 1 character", problem)


def test_sound_file_is_accepted(problems):
    assert problems(DEPLOYMENT, definitions={"anything": 1}, **{"prefect-version": "3.8.8"}) == []


def test_parameter_without_default_is_missing_only_where_a_schedule_lacks_it(problems):
    schedules = [SCHEDULE, {**SCHEDULE, "slug": "later", "parameters": {}}]
    [problem] = problems(changed(entrypoint="code/flow.py:asking", parameters={}, schedules=schedules))
    assert re.search(r"schedules\.1\.parameters: .*\n.*table: Field required", problem)


def test_one_name_serves_several_flows(problems):
    assert problems(DEPLOYMENT, changed(entrypoint="code/flow.py:renamed", parameters={}, schedules=[])) == []


@pytest.mark.parametrize(
    ("deployment", "problem"),
    [
        (changed(schedulez=[]), r"deployments.local.schedulez: Extra inputs"),
        (changed(schedule={"cron": "* * * * *"}), r"deployments.local.schedule: Extra inputs"),
        (changed("work_pool", queue="fast"), r"deployments.local.work_pool.queue: Extra inputs"),
        (changed("concurrency_limit", strategy="X"), r"concurrency_limit.strategy: Extra inputs"),
        (changed("concurrency_limit", collision_strategy="DROP"), r"collision_strategy: Input should be 'ENQUEUE'"),
        (changed("concurrency_limit", grace_period_seconds=5), r"grace_period_seconds: Input should be greater"),
        (changed("concurrency_limit", limit=0), r"concurrency_limit.limit: Input should be greater than 0"),
        (changed(concurrency_limit=1), r"concurrency_limit: Input should be a valid dictionary"),
        (changed("schedules", 0, enabled=True), r"schedules.0.enabled: Extra inputs"),
        (changed("schedules", 0, cron="61 * * * *"), r"schedules.0.cron: .*cron"),
        (changed("schedules", 0, cron=None, interval=0), r"schedules.0.interval: .*greater than 0"),
        (changed("schedules", 0, cron=None, rrule="FREQ=SOMETIMES"), r"schedules.0.rrule: .*RRule"),
        (changed("schedules", 0, cron=None, interval=60), r"schedules.0: .*needs an anchor_date"),
        (changed("schedules", 0, slug=None), r"schedules.0.slug: "),
        (changed("schedules", 0, active=None), r"schedules.0.active: "),
        (changed(schedules=[{k: v for k, v in SCHEDULE.items() if k != "timezone"}]), r"0.timezone: Field required"),
        (changed(schedules=[SCHEDULE, SCHEDULE]), r"deployments.local: .*share a slug: daily, daily"),
        (changed("schedules", 0, interval=60), r"schedules.0: .*exactly one of cron, interval and rrule"),
        (changed("schedules", 0, cron=None), r"schedules.0: .*exactly one of cron, interval and rrule"),
        (changed("schedules", 0, timezone="Europe/Madrit"), r"schedules.0.timezone: .*timezone"),
        (changed("schedules", 0, anchor_date="2026-01-01"), r"schedules.0.anchor_date: .*Extra inputs"),
        (changed("schedules", 0, parameters={"tables": "orders"}), r"move/local: schedules.0.parameters: .*tables"),
        (changed(parameters={"row": 2}), r"move/local: parameters: .*row"),
        (changed(parameters={"rows": "many"}), r"move/local: parameters: .*rows: Input should be a valid integer"),
        (changed(entrypoint="code/flow.py:mov"), r"entrypoint code/flow.py:mov: .*not found"),
        (changed(entrypoint="code/flow.py:not_a_flow"), r"entrypoint .*not a flow"),
        (changed(entrypoint="code/flaw.py:move"), r"entrypoint .*flaw.py"),
        (changed(work_pool=None), r"deployments.local.work_pool"),
        (changed(description=None), r"deployments.local.description"),
        (changed(name=None), r"deployments.0.name"),
    ],
)
def test_mistake_in_a_deployment_is_named(problems, deployment, problem):
    found = problems(deployment)
    assert len(found) == 1
    assert re.search(problem, found[0], re.DOTALL), found[0]


def test_unknown_key_of_the_file_is_named(problems):
    assert problems(DEPLOYMENT, deployment=[]) == ["deployment: Extra inputs are not permitted"]


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        (
            {"prefect.deployments.steps.set_working_directory": {"folder": "/"}},
            "missing a required argument: 'directory'",
        ),
        ({"prefect.deployments.steps.set_directory": {"directory": "/"}}, "set_directory"),
        ({"no_such_package.step": {}}, "No module named"),
    ],
)
def test_pull_step_that_would_fail_in_the_run_is_named(problems, step, problem):
    [found] = problems(DEPLOYMENT, pull=[step])
    assert found.startswith("pull.0.")
    assert problem in found


def test_same_deployment_twice_is_named(problems):
    assert problems(DEPLOYMENT, DEPLOYMENT) == ["move/local: 2 deployments of this name"]


def test_every_mistake_is_named_at_once(problems):
    assert len(problems(changed(parameters={"row": 2}), changed(name="b", entrypoint="code/flow.py:mov"))) == 2


def test_unreadable_file_is_an_error(tmp_path):
    with pytest.raises(ConfigurationError, match=r"missing\.yaml can't be read"):
        find_problems(tmp_path / "missing.yaml", {})
    (tmp_path / "bad.yaml").write_text("a: [1")
    with pytest.raises(ConfigurationError, match=r"bad\.yaml can't be read"):
        find_problems(tmp_path / "bad.yaml", {})
