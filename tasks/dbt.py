"""Task of the marts: dbt, whose models and tests become task runs of their own."""

from pathlib import Path

from connectors.errors import TerminalError
from connectors.settings import home
from tasks.artifacts import DbtNode, publish_build
from tasks.policy import preset_task

PROJECT = Path(__file__).parents[1] / "dbt"


@preset_task("dbt build")
def build_models() -> list[DbtNode]:
    """Builds and tests every model.

    Raises:
        TerminalError: A model or a test failed; what readers of gold see is as before.
    """
    # dbt takes seconds to import; only a run that uses it should wait for that.
    from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings  # noqa: PLC0415

    folder = home() / "dbt"
    settings = PrefectDbtSettings(project_dir=PROJECT, profiles_dir=PROJECT, target_path=folder / "target")
    runner = PrefectDbtRunner(settings=settings, raise_on_failure=False)
    result = runner.invoke(["build"], log_path=str(folder / "logs"))
    nodes = [
        DbtNode(
            kind=r.node.resource_type, name=r.node.name, status=r.status, seconds=r.execution_time, message=r.message
        )
        for r in result.result.results
    ]
    publish_build(nodes)
    if not result.success:
        failed = ", ".join(node.name for node in nodes if node.failed)
        raise TerminalError(f"dbt could not build: {failed}", hint="each one's task run says why")
    return nodes
