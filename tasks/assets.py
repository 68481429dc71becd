"""Which tables a task writes and from which: the lineage that Prefect shows."""

from typing import ParamSpec, TypeVar

from prefect import Task
from prefect.assets import Asset, AssetProperties
from prefect.tasks import MaterializingTask

from connectors.lake.layout import folder, view_name
from connectors.postgres.identifiers import TableName
from tasks.policy import PRESET

P = ParamSpec("P")
R = TypeVar("R")


def source_asset(source: str) -> Asset:
    """The source database."""
    return _asset("postgres", source, name=f"{source} (source database)")


def bronze_asset(source: str) -> Asset:
    """The change log of a source."""
    return _asset("lake", "bronze", source, "changes", name=f"bronze: changes of {source}")


def silver_asset(table: TableName) -> Asset:
    """The current rows of a source table: by the key that dbt gives it, so that lineage goes on to the marts."""
    return _asset("duckdb", "memory", "silver", view_name(table), name=f"silver: {table}")


def materializing(task: Task[P, R], asset: Asset, upstream: Asset) -> MaterializingTask[P, R]:
    """The same task, telling Prefect which table it writes and from which.

    The upstream is declared, as Prefect can infer it only from a parameter that is itself an asset's result.
    """
    return MaterializingTask(
        task.fn,
        assets=[asset],
        asset_deps=[upstream],
        name=task.name,
        task_run_name=task.task_run_name,
        **PRESET,
    )


def _asset(kind: str, *path: str, name: str) -> Asset:
    # Prefect refuses many characters in a key; `folder` writes none of them.
    return Asset(key=f"{kind}://{'/'.join(map(folder, path))}", properties=AssetProperties(name=name))
