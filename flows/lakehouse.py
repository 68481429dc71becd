"""The whole path: from the source's change stream to the marts."""

from functools import partial

from connectors.settings import load_settings
from flows.build_marts import build_marts
from flows.drain_cdc import Lsn, drain_cdc
from flows.outcome import ended, nothing
from flows.run_names import timed
from flows.served import flow
from tasks.words import counted


@flow(name="lakehouse", flow_run_name=partial(timed, "lakehouse"))
def lakehouse(through_lsn: Lsn | None = None) -> None:
    """Drains the source into the lake, then builds the marts if any silver table was written since the last build.

    Args:
        through_lsn: As for `drain-cdc`: wait for everything committed before this LSN of the source, `0/27830028`.
    """
    merged = drain_cdc(through_lsn)
    build_marts(only_if_moved=True)
    changes, tables = sum(merge.changes for merge in merged), sum(merge.changes > 0 for merge in merged)
    source = load_settings().cdc.source
    return ended(nothing, f"{counted(changes, 'change')} of {source} in {counted(tables, 'table')}, marts up to date")
