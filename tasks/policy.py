"""The preset of every task: retries on transient errors, a timeout, no cache."""

from collections.abc import Callable
from functools import wraps
from pkgutil import resolve_name
from typing import Any, ParamSpec, TypeVar, cast

from prefect import State, Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun

from connectors.errors import TransientError

P = ParamSpec("P")
R = TypeVar("R")


# A plain function on purpose: Prefect takes any other callable for "never retry", silently.
def is_transient(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Returns whether a failed task run may succeed when retried."""
    return isinstance(state.data, TransientError)


PRESET: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": [2, 10, 30],
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": is_transient,
    "timeout_seconds": 60 * 60,
    # Every task reads or writes a system that changes; a cached answer would be a wrong one.
    "cache_policy": NO_CACHE,
}
"""Options of every task."""


def preset_task(run_name: str, connector: str | None = None, **others: Any) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Makes a task of a function, with the preset.

    Args:
        run_name: Name of a run, with the function's parameters in braces: `merge {table}`.
        connector: What a run calls instead of the function, which then is a signature only, as `package.module:name`.
            Only the run imports it: listing or deploying flows needs no connector, and importing them takes as long as
            importing Prefect.
        **others: Options in place of those of the preset, with a reason at the task.
    """

    def decorate(function: Callable[P, R]) -> Task[P, R]:
        called = function if connector is None else _calling(connector, function)
        return Task(called, task_run_name=run_name, **(PRESET | others))

    return decorate


def _calling(connector: str, signature: Callable[P, R]) -> Callable[P, R]:
    @wraps(signature)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return cast(R, resolve_name(connector)(*args, **kwargs))

    return call
