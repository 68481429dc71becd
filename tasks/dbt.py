"""Task of the marts: dbt, whose models become task runs of their own."""

from typing import Any

from prefect.settings import PREFECT_LOGGING_LEVEL

from connectors.errors import TerminalError
from connectors.lake.dbt_settings import using
from connectors.settings import Settings
from tasks.artifacts import DbtNode, publish_build
from tasks.cost import Meter
from tasks.policy import preset_task


@preset_task("find moved tables of {settings.cdc.source}", "connectors.lake.gold:moved_tables")
def moved_tables(settings: Settings) -> list[str]:
    """Names the silver tables that were written since the marts were built."""


def log_level() -> str:
    """The level of Prefect's log, by dbt's name; left to prefect-dbt, nothing is built where dbt has no such level."""
    level = str(PREFECT_LOGGING_LEVEL.value()).lower()
    return {"warning": "warn", "critical": "error"}.get(level, level)


@preset_task("dbt build")
def build_models(settings: Settings) -> list[DbtNode]:
    """Builds and tests every model.

    Raises:
        TerminalError: dbt could not start, or a model or a test failed; what readers of gold see is as before.
    """
    # dbt takes seconds to import; only a run that uses it should wait for that.
    from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings  # noqa: PLC0415

    class ModelsAsTasks(PrefectDbtRunner):  # type: ignore[misc] # it comes without types
        """Makes task runs of models alone: one costs 0.15 s of CPU, and tests are many and short."""

        def _call_task(self, task_state: Any, manifest_node: Any, context: Any, enable_assets: bool) -> None:
            if manifest_node.resource_type == "model":
                super()._call_task(task_state, manifest_node, context, enable_assets)

    meter = Meter()
    folder = settings.home / "dbt"
    options = PrefectDbtSettings(
        project_dir=settings.dbt.project,
        profiles_dir=settings.dbt.project,
        target_path=folder / "target",
        log_level=log_level(),
    )
    runner = ModelsAsTasks(settings=options, raise_on_failure=False)
    try:
        with using(settings):
            result = runner.invoke(["build"], log_path=str(folder / "logs"))
    except ValueError as error:
        raise TerminalError(f"dbt could not start: {error}", hint=f"its log is in {folder / 'logs'}") from error
    nodes = [
        DbtNode(
            kind=r.node.resource_type, name=r.node.name, status=r.status, seconds=r.execution_time, message=r.message
        )
        for r in result.result.results
    ]
    publish_build(nodes, meter.read())
    if not result.success:
        failed = ", ".join(node.name for node in nodes if node.failed)
        raise TerminalError(f"dbt could not build: {failed}", hint="the page of this run (Artifacts) says why")
    return nodes
