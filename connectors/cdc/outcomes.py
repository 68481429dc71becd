"""Outcomes of an operation on several tables, and one error that names all tables that failed."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from connectors.cdc.reports import ReplayReport
from connectors.errors import LakehouseError, TerminalError
from connectors.postgres.identifiers import TableName

Name = TypeVar("Name", TableName, str)
Report = TypeVar("Report")

_log = logging.getLogger(__name__)


def one_by_one(tables: Iterable[Name], work: Callable[[Name], Report]) -> dict[Name, Report | Exception]:
    """Returns the report of each table, or why there is none: no table holds up those behind it, whatever the reason.

    One after another, as a merge uses every core already, and a task's timeout can end it only in the main thread.
    """
    outcomes: dict[Name, Report | Exception] = {}
    for table in tables:
        try:
            outcomes[table] = work(table)
        except Exception as error:  # noqa: BLE001 - raised by `require_all`, after the other tables
            outcomes[table] = error
            if not isinstance(error, LakehouseError):
                # Nobody expected it: what is raised in the end names it, but does not show where it comes from.
                _log.exception("%s", table)
    return outcomes


def succeeded(outcomes: Mapping[Name, Report | Exception]) -> list[Report]:
    """Returns the reports."""
    return [outcome for outcome in outcomes.values() if not isinstance(outcome, Exception)]


def failures(outcomes: Mapping[Name, Report | Exception]) -> dict[Name, Exception]:
    """Returns why there is no report, by table."""
    return {table: outcome for table, outcome in outcomes.items() if isinstance(outcome, Exception)}


def require_all(outcomes: Mapping[Name, Report | Exception], *, done: str) -> list[Report]:
    """Returns the reports, where every table has one.

    Args:
        outcomes: What came of each table.
        done: What was to be done to them, as in `3 of 5 tables were not merged`.

    Raises:
        TerminalError: A table has none; it says which, and why.
    """
    failed = failures(outcomes)
    if failed:
        reasons = "\n".join(f"{table}: {_reason(table, error)}" for table, error in failed.items())
        raise TerminalError(
            f"{len(failed)} of {len(outcomes)} tables were not {done}:\n{reasons}",
            hint=f"the others were {done}; run it again for these when the reasons are gone",
            tables=tuple(failed),
        ) from ExceptionGroup("it failed for some tables", list(failed.values()))
    return succeeded(outcomes)


def require_none_rejected(reports: Iterable[ReplayReport]) -> None:
    """Does nothing if every message was settled.

    Raises:
        TerminalError: Messages are still rejected.
    """
    left = {str(report.table): report.rejected for report in reports if report.rejected}
    if left:
        raise TerminalError(
            f"{sum(left.values())} messages can't be read yet: {', '.join(f'{n} of {t}' for t, n in left.items())}",
            hint="`lakehouse quarantine show TABLE` says why; `lakehouse resync TABLE` reads the rows as they are now",
        )


def _reason(table: TableName | str, error: Exception) -> str:
    if isinstance(error, LakehouseError):
        return str(error).removeprefix(f"{table}: ")
    return f"{type(error).__name__}: {error}"
