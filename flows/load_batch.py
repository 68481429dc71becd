"""What does not stream: tables of one source, in batches."""

from datetime import date
from functools import partial

from prefect.runtime import flow_run

from connectors.cdc.outcomes import failures, one_by_one, require_all, succeeded
from connectors.loads.reports import LoadReport
from connectors.loads.window import Window
from connectors.postgres.identifiers import TableName
from connectors.settings import load_settings
from flows.outcome import ended
from flows.served import flow
from tasks.assets import load_asset, load_source_asset, loaded_facts, materializing
from tasks.concurrency import source_lock
from tasks.cost import Meter
from tasks.load_artifacts import publish_load, publish_load_freshness
from tasks.loads import declared_tables, load_table, read_status
from tasks.summaries import summarise_load


def _run_name() -> str:
    given = flow_run.parameters
    days = f" {given['since'] or ''} to {given['until'] or 'now'}" if given["since"] or given["until"] else ""
    return f"load {given['source']} {', '.join(given['tables'])}".rstrip() + days


@flow(name="load-batch", flow_run_name=_run_name)
def load_batch(
    source: str,
    tables: list[str] = [],  # noqa: B006 - Prefect copies it
    since: date | None = None,
    until: date | None = None,
    again: bool = False,
) -> list[LoadReport]:
    """Loads what is new in the tables of a source; a table that fails does not stop the others.

    Each row is in the lake once, however often this runs. Rows that can't be read go to quarantine, with file and line.

    Args:
        source: Name of the source, as `loads.yaml` declares it.
        tables: Its tables; empty: all of them.
        since: First day; empty: from the beginning. Only for tables that have days.
        until: First day behind the last; empty: without end.
        again: Also load again what was loaded already.
    """
    settings, meter = load_settings(), Meter()
    window = Window(since, until, again)

    def load(table: TableName) -> LoadReport:
        asset, upstream = load_asset(settings, table), load_source_asset(settings, table)
        task = materializing(load_table, asset, upstream, facts=loaded_facts)
        return task(settings, table.schema, table.name, window=window)

    with source_lock(source):
        outcomes = one_by_one(declared_tables(settings, source, tables), load)
    publish_load(source, outcomes, meter.read())
    publish_load_freshness(source, read_status(settings, source))
    summary = summarise_load(succeeded(outcomes), failed=len(failures(outcomes)))
    return ended(partial(require_all, outcomes, done="loaded"), summary)
