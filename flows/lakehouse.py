"""The whole path: from the source's change stream to the marts."""

from functools import partial

from connectors.settings import load_settings
from flows.build_marts import build_marts
from flows.drain_cdc import Lsn, drain_cdc
from flows.load_batch import load_batch
from flows.outcome import ended, nothing
from flows.run_names import timed
from flows.served import flow
from tasks.words import counted


@flow(name="lakehouse", flow_run_name=partial(timed, "lakehouse"))
def lakehouse(
    through_lsn: Lsn | None = None,
    load_sources: list[str] = [],  # noqa: B006 - Prefect copies it
) -> None:
    """Drains the source into the lake, then builds the marts if any table was written since the last build.

    Args:
        through_lsn: As for `drain-cdc`: wait for everything committed before this LSN of the source, `0/27830028`.
        load_sources: Sources of batch loads that are loaded before the marts are built; empty: none.
    """
    merged = drain_cdc(through_lsn)
    loaded = [report for source in load_sources for report in load_batch(source)]
    build_marts(only_if_moved=True)
    changes, tables = sum(merge.changes for merge in merged), sum(merge.changes > 0 for merge in merged)
    source = load_settings().cdc.source
    parts = [f"{counted(changes, 'change')} of {source} in {counted(tables, 'table')}"]
    if load_sources:
        parts.append(f"{counted(sum(report.rows for report in loaded), 'row')} loaded")
    return ended(nothing, ", ".join([*parts, "marts up to date"]))
