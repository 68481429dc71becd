"""Merges and rebuilds on Spark: which tables, and the job that does it; see `deployments/spark/merge_job.py`."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from connectors.cdc.merge import open_silver, pending_tables
from connectors.cdc.reports import SparkReport
from connectors.emr.runs import JobRun
from connectors.emr.service import JobService, follow
from connectors.errors import ConfigurationError, TerminalError
from connectors.lake.checked import read_checked
from connectors.lake.contract_log import captured_tables, latest_versions
from connectors.lake.layout import LakeLayout
from connectors.lake.silver.table import SilverTable
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings

_SUCCESS = "SUCCESS"


def tables_for_spark(
    settings: Settings, patterns: Sequence[str] | None = None, *, rebuild: bool = False
) -> list[TableName]:
    """Returns the tables of which the job has something to merge, or all that it can rebuild.

    Args:
        settings: The source and the lake.
        patterns: Tables, as `schema.table` patterns; None: those of the settings of which a merge is due.
        rebuild: Whether they are to be rebuilt, so that it does not matter what is pending.

    Raises:
        ConfigurationError: No table with a primary key is meant that is not paused, or nothing says what to rebuild.
    """
    layout = LakeLayout.of(settings)
    checked = read_checked(layout)
    paused = frozenset[TableName]() if checked is None else checked.paused
    if patterns is None:
        if rebuild:
            raise ConfigurationError("no table is named that is to be rebuilt", hint="name some, or `*.*`")
        now = datetime.now(UTC)
        return [
            pending.table
            for pending in pending_tables(settings)
            if pending.table not in paused
            and pending.is_for_spark(settings.spark)
            and pending.is_due(settings.cdc, now)
        ]
    meant, versions = captured_tables(settings, patterns), latest_versions(layout)
    wanted = [table for table in meant if versions[table].contract.key and table not in paused]
    if not wanted:
        raise ConfigurationError(
            f"{', '.join(map(str, meant))}: without a primary key, or paused",
            hint="`lakehouse drain` merges tables without a key, and says which command resumes a paused one",
        )
    if rebuild:
        return wanted
    return [pending.table for pending in pending_tables(settings) if pending.table in wanted]


def run_on_spark(
    settings: Settings,
    tables: Sequence[TableName],
    *,
    rebuild: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> SparkReport:
    """Has silver tables merged or rebuilt by a job on EMR Serverless, and waits for its end.

    A job that does just this already is not started again, but waited for.

    Args:
        settings: The source, the lake, and where the job runs.
        tables: The source tables.
        rebuild: Rebuild them from bronze; else merge what is pending.
        say: Called with what becomes of the job.

    Raises:
        ConfigurationError: A setting is missing, or AWS refuses.
        ServiceUnavailable: AWS did not answer; the job goes on.
        TerminalError: The job failed, or a table is where it was.
    """
    before = {table: open_silver(settings, table) for table in tables}
    service = JobService(settings.aws, settings.spark)
    arguments = [*map(str, tables), *(["--rebuild"] if rebuild else [])]
    environment = {"LAKEHOUSE_LAKE__ROOT": settings.lake.root, "LAKEHOUSE_CDC__SOURCE": settings.cdc.source}
    verb = "rebuild" if rebuild else "merge"
    job = service.start(_name(verb, arguments, environment), arguments, environment)

    def changed(run: JobRun) -> None:
        pages = f", {service.dashboard(job)}" if run.state == "RUNNING" else ""
        say(f"job {job} is {run.state}{pages}")

    run = follow(service, job, say=changed)
    where = service.logs(job)
    if run.state != _SUCCESS:
        raise TerminalError(
            f"job {job} is {run.state}: {run.details or 'EMR does not say why'}",
            hint=f"its log is at {where or service.dashboard(job)}",
        )
    left = _left(settings, before, rebuild=rebuild)
    if left:
        raise TerminalError(
            f"job {job} ended well, and yet {', '.join(map(str, left))} is where it was",
            hint="check that its code is of this release, and that LAKEHOUSE_LAKE__ROOT is the same lake there",
        )
    return SparkReport(tuple(tables), run, where)


def _left(settings: Settings, before: Mapping[TableName, SilverTable], *, rebuild: bool) -> list[TableName]:
    """The tables of which nothing was done."""
    if rebuild:
        return [t for t, old in before.items() if open_silver(settings, t).table.version() == old.table.version()]
    pending = {pending.table for pending in pending_tables(settings)}
    return [t for t, old in before.items() if t in pending and open_silver(settings, t).batch == old.batch]


def _name(verb: str, arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Names the work: jobs of one name do the same."""
    work = hashlib.sha256("\0".join([*arguments, *environment.values()]).encode()).hexdigest()[:12]
    return f"lakehouse {verb} {environment['LAKEHOUSE_CDC__SOURCE']} {work}"
