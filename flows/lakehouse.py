"""The whole path: from the source's change stream to the marts."""

from typing import Annotated

from pydantic import Field

from connectors.settings import load_settings
from flows.build_marts import build_marts
from flows.drain_cdc import drain_cdc
from flows.served import flow


def _run_name() -> str:
    return f"lakehouse {load_settings().cdc.source}"


@flow(name="lakehouse", flow_run_name=_run_name)
def lakehouse(through_lsn: Annotated[int, Field(ge=0)] | None = None) -> None:
    """Drains the source into the lake, then builds the marts from it if any row has moved since they were built.

    Args:
        through_lsn: As for `drain-cdc`: wait for everything committed before this position of the source.
    """
    drain_cdc(through_lsn)
    build_marts(only_if_moved=True)
