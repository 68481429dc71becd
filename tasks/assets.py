"""Assets: which tables a task writes, from which, with facts about them."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from prefect import Task
from prefect.assets import Asset, AssetProperties
from prefect.tasks import MaterializingTask

from connectors.cdc.reports import DrainReport, MergeReport, RebuildReport, ReplayReport
from connectors.errors import LakehouseError
from connectors.lake.layout import folder, view_name
from connectors.loads.reports import LoadReport
from connectors.postgres.identifiers import TableName
from connectors.quality.reports import TableState
from connectors.settings import Settings
from tasks.policy import PRESET

P = ParamSpec("P")
R = TypeVar("R")
Facts = dict[str, Any]


def source_asset(settings: Settings) -> Asset:
    """The source database."""
    source = settings.cdc.source
    about = "The database whose changes are captured."
    return _asset("postgres", source, name=f"{source} (source database)", about=about, owner=settings.cdc.owner)


def bronze_asset(settings: Settings) -> Asset:
    """The change log of a source."""
    source = settings.cdc.source
    about = "Every change of every table, as the stream delivered it, once and in order. Nothing is ever updated."
    return _asset(
        "lake", "bronze", source, "changes", name=f"bronze: changes of {source}", about=about, owner=settings.cdc.owner
    )


def silver_asset(settings: Settings, table: TableName) -> Asset:
    """The current rows of a source table: by the key that dbt gives it, so that lineage goes on to the marts."""
    about = f"The rows that {table} has now, typed as in PostgreSQL. Deleted ones are kept, marked, and not shown."
    return _asset(
        "duckdb", "memory", "silver", view_name(table), name=f"silver: {table}", about=about, owner=settings.cdc.owner
    )


def load_source_asset(settings: Settings, table: TableName) -> Asset:
    """What a table is loaded from."""
    about = "Where the rows of a batch load come from; loads.yaml says how."
    return _asset("loads", *table, name=f"{table} (source)", about=about, owner=settings.cdc.owner)


def load_asset(settings: Settings, table: TableName) -> Asset:
    """A table that is loaded in batches: by the key that dbt gives it, so that lineage goes on to the marts."""
    about = f"The rows of {table}, each once, typed as declared."
    return _asset("duckdb", "memory", *table, name=f"loaded: {table}", about=about, owner=settings.cdc.owner)


def materializing(
    task: Task[P, R], asset: Asset, upstream: Asset, *, facts: Callable[[R], Facts]
) -> MaterializingTask[P, R]:
    """Returns the same task as one that materializes an asset: the table it writes, from which, with facts about it.

    The upstream is declared, as Prefect can infer it only from a parameter that is itself an asset's result.
    """

    @wraps(task.fn)
    def materialize(*args: P.args, **kwargs: P.kwargs) -> R:
        report = task.fn(*args, **kwargs)
        asset.add_metadata(facts(report))
        return report

    return MaterializingTask(
        materialize,
        assets=[asset],
        asset_deps=[upstream],
        name=task.name,
        task_run_name=task.task_run_name,
        **PRESET,
    )


def drained_facts(report: DrainReport) -> Facts:
    """What a drain made of bronze."""
    return {"rows added": report.messages, "version": report.version, "complete through LSN": report.through_lsn}


def merged_facts(settings: Settings, report: MergeReport) -> Facts:
    """What a merge made of a silver table."""
    facts = {"version": report.version, "changes": report.changes, "rejected": report.rejected, "batch": report.batch}
    return facts | _held(settings, report.table)


def loaded_facts(report: LoadReport) -> Facts:
    """What a load made of a table."""
    return {
        "rows added": report.rows,
        "rejected": report.rejected,
        "new columns": list(report.new_columns),
        "version": report.version,
    }


def rebuilt_facts(settings: Settings, report: RebuildReport) -> Facts:
    """What a silver table is that was rebuilt."""
    return {"version": report.version, "differing": report.differing} | _held(settings, report.table)


def replay_facts(report: ReplayReport) -> Facts:
    """What became of rows that were rejected."""
    return {"replayed": report.replayed, "still rejected": report.rejected}


def replayed_facts(settings: Settings, report: ReplayReport) -> Facts:
    """What a silver table is after messages that were rejected were tried again."""
    return replay_facts(report) | _held(settings, report.table)


def _held(settings: Settings, table: TableName) -> Facts:
    from connectors.quality.freshness import open_tables, read_states  # noqa: PLC0415 - start-up time

    try:
        states = read_states(settings, open_tables(settings, [table]))
    except LakehouseError:
        # The table is written; to try the task again for a number would make it report that nothing was.
        return {}
    return next(map(_state_facts, states), {})


def _state_facts(state: TableState) -> Facts:
    newest = None if state.newest_change is None else state.newest_change.isoformat()
    return {"rows": state.rows, "newest change": newest}


def _asset(kind: str, *path: str, name: str, about: str, owner: str) -> Asset:
    # Prefect refuses many characters in a key; `folder` writes none of them.
    properties = AssetProperties(name=name, description=about, owners=[owner])
    return Asset(key=f"{kind}://{'/'.join(map(folder, path))}", properties=properties)
