"""What rebuilding and resyncing tables have in common: one table after the other, and the page and message of them."""

from collections.abc import Sequence
from functools import partial

from prefect import Task
from prefect.assets import Asset

from connectors.cdc.outcomes import failures, one_by_one, require_all, succeeded
from connectors.cdc.reports import RebuildReport
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings
from flows.outcome import ended
from tasks.artifacts import publish_rebuild
from tasks.assets import materializing, rebuilt_facts, silver_asset
from tasks.concurrency import source_lock
from tasks.lake import captured_tables
from tasks.summaries import summarise_rebuild


def repair_tables(
    settings: Settings,
    patterns: Sequence[str],
    task: Task[[Settings, TableName], RebuildReport],
    *,
    upstream: Asset,
    verb: str,
    done: str,
) -> list[RebuildReport]:
    """Repairs the silver tables that patterns mean, while no other run writes to the lake of this source.

    Args:
        settings: The lake, and its source.
        patterns: Tables, as `schema.table` patterns with `*` and `?`.
        task: Repairs one table.
        upstream: What the tables are repaired from.
        verb: What is done to a table, as in the key of the page.
        done: What was done to it, as in the message.
    """

    def repair(table: TableName) -> RebuildReport:
        facts = partial(rebuilt_facts, settings)
        return materializing(task, silver_asset(settings, table), upstream, facts=facts)(settings, table)

    with source_lock(settings.cdc.source):
        outcomes = one_by_one(captured_tables(settings, patterns), repair)
    reports = succeeded(outcomes)
    publish_rebuild(verb, reports)
    summary = summarise_rebuild(done, reports, failed=len(failures(outcomes)))
    return ended(partial(require_all, outcomes, done=done), summary)
