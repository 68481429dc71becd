"""From silver to the marts."""

from connectors.settings import load_settings
from flows.served import flow
from tasks.dbt import build_models, moved_tables


@flow(name="build-marts", flow_run_name="build marts")
def build_marts(only_if_moved: bool = False) -> None:
    """Builds and tests the marts with dbt, from silver as it is when the run starts.

    Readers see either the last complete build or this one, never a half of it.

    Args:
        only_if_moved: Do nothing if no silver table was written since the marts were last built. Leave it off after a
            change of the models.
    """
    settings = load_settings()
    if only_if_moved and not moved_tables(settings):
        return
    build_models(settings)
