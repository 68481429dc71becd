"""Names of flow runs: what a run works on, and for a scheduled one when."""

from prefect.runtime import flow_run

from connectors.settings import load_settings


def timed(verb: str) -> str:
    """Returns `drain shop 14:03:20`: runs of one source differ in their time."""
    started = flow_run.scheduled_start_time
    return f"{verb} {load_settings().cdc.source} {started:%H:%M:%S}"


def of_tables(verb: str) -> str:
    """Returns `resync public.orders, public.items`: the patterns that the run was given."""
    return f"{verb} {', '.join(flow_run.parameters['tables'])}"
