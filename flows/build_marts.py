"""From silver to the marts."""

from functools import partial

from connectors.settings import load_settings
from flows.outcome import ended, nothing
from flows.run_names import timed
from flows.served import flow
from tasks.dbt import build_models, moved_tables
from tasks.summaries import summarise_build


@flow(name="build-marts", flow_run_name=partial(timed, "build marts of"))
def build_marts(only_if_moved: bool = False) -> None:
    """Builds and tests the marts with dbt, from silver as it is when the run starts.

    Readers see either the last complete build or this one, never a mixture.

    Args:
        only_if_moved: Skip the build if no table was written since the last one. Leave it off after a change of
            the models.
    """
    settings = load_settings()
    if only_if_moved and not moved_tables(settings):
        return ended(nothing, "skipped: no table was written since the last build")
    return ended(nothing, summarise_build(build_models(settings)))
