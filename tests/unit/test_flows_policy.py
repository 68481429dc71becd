"""Every task follows the one preset; only what may succeed the next time is tried again."""

import importlib
import inspect
import logging
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
from prefect import Task
from prefect.states import Failed

import flows
import tasks
from connectors.errors import CommitConflict, ContractMismatch
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings
from tasks.assets import bronze_asset, materializing, silver_asset, source_asset
from tasks.policy import PRESET

ROOT = Path(__file__).parents[2]
SETTINGS = Settings()


def all_tasks():
    modules = [importlib.import_module(f"tasks.{module.name}") for module in pkgutil.iter_modules(tasks.__path__)]
    return {task.name: task for module in modules for task in vars(module).values() if isinstance(task, Task)}


def function_of_no_interest(): ...


def bypassed(task):
    return {option for option, value in PRESET.items() if getattr(task, option) != value}


def test_no_task_bypasses_the_preset_without_a_reason():
    found = all_tasks()
    assert {"drain_source", "merge_table", "build_models"} <= set(found)
    other = {name: bypassed(task) for name, task in found.items() if bypassed(task)}
    assert other == {"submit_merge": {"timeout_seconds"}, "resync_table": {"timeout_seconds"}}


def test_a_task_has_the_signature_of_the_function_that_it_calls():
    names = {}
    for file in (ROOT / "tasks").glob("*.py"):
        for call, name in re.findall(r'@preset_task\([^)]*"(connectors[\w.]*:\w+)"\)\ndef (\w+)', file.read_text()):
            names[name] = call
    assert {"merge_table", "rebuild_table", "moved_tables", "measure_freshness"} <= set(names)
    found = all_tasks()
    for name, call in names.items():
        ours, theirs = (inspect.signature(f).parameters for f in (found[name].fn, pkgutil.resolve_name(call)))
        required = {p for p, parameter in theirs.items() if parameter.default is parameter.empty}
        assert required <= set(ours) <= set(theirs), name
        assert [ours[p].kind for p in ours] == [theirs[p].kind for p in ours], name


def test_task_with_an_asset_keeps_the_preset():
    plain = all_tasks()["merge_table"]
    silver = silver_asset(SETTINGS, TableName("public", "orders"))
    task = materializing(plain, silver, bronze_asset(SETTINGS), facts=lambda report: {})
    assert bypassed(task) == set()
    assert (task.name, task.task_run_name) == (plain.name, plain.task_run_name)


@pytest.mark.parametrize(
    ("error", "again"),
    [(CommitConflict("others won"), True), (ContractMismatch("a column is gone"), False), (ValueError("odd"), False)],
)
def test_only_transient_errors_are_tried_again(error, again):
    condition = PRESET["retry_condition_fn"]
    assert condition(Task(function_of_no_interest), None, Failed(data=error)) is again
    # What Prefect takes for a condition; anything else would mean "never", silently.
    assert inspect.isfunction(condition)


def test_odd_table_names_make_asset_keys():
    odd = [TableName("Sales & co", 'a "b" {c}|%'), TableName("public", "ordrés"), TableName("Public", "Orders")]
    keys = {
        asset.key
        for asset in (*(silver_asset(SETTINGS, t) for t in odd), bronze_asset(SETTINGS), source_asset(SETTINGS))
    }
    assert len(keys) == 5


def test_every_flow_is_in_the_face_and_explains_its_parameters():
    assert sorted(flows.__all__) == flows.__all__
    for name in flows.__all__:
        shown = getattr(flows, name)
        assert shown.name == name.replace("_", "-")
        assert shown.description
        undescribed = [p.title for p in shown.parameters.properties.values() if not p.get("description")]
        assert undescribed == []


# Each takes a tenth of a second or several, and all together as long as a quarter of Prefect itself.
SLOW = ("confluent_kafka", "dbt", "deltalake", "duckdb", "prefect_dbt", "psycopg", "pyarrow", "s3fs")


def test_importing_flows_waits_for_nothing_that_only_runs_need():
    code = f"import sys, flows; print([name for name in {SLOW} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_outside_of_a_run_nobody_is_told_of_the_log():
    logging.getLogger("connectors.cdc.drain").info("waiting")
