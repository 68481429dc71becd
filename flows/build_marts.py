"""From silver to the marts."""

from prefect import flow

from tasks.dbt import build_models


@flow(name="build-marts", flow_run_name="build marts")
def build_marts() -> None:
    """Builds and tests the marts with dbt, from silver as it is when the run starts.

    Readers see either the last complete build or this one, never a half of it.
    """
    build_models()
