"""The grid of partition status that a terminal and the Prefect UI show."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from connectors.backfill.entry import Entry, State

MISSING, INTERRUPTED = "missing", "interrupted"
SIGNS = {
    State.DONE.value: "■",
    State.FAILED.value: "✗",
    State.RUNNING.value: "▶",
    INTERRUPTED: "!",
    State.PLANNED.value: "○",
    MISSING: "·",
}
"""What stands for each state."""


@dataclass(frozen=True)
class Grid:
    """A line per month or year, a column per day, week or month; a line per table where there is no time.

    Attributes:
        columns: Heads of the columns.
        lines: State of each column by the line's name; None where there is no such partition.
        counts: How many partitions are in each state.
        failures: Error of each partition that failed.
    """

    columns: tuple[str, ...]
    lines: dict[str, tuple[str | None, ...]]
    counts: dict[str, int]
    failures: dict[str, str]


def shown_state(entry: Entry | None, now: datetime) -> str:
    """State of a partition as people see it: one whose run died is interrupted."""
    if entry is None:
        return MISSING
    return INTERRUPTED if entry.is_lost(now) else entry.state.value


def make_grid(entries: Mapping[str, Entry | None], now: datetime) -> Grid:
    """Lays out partitions by their keys."""
    states = {key: shown_state(entry, now) for key, entry in entries.items()}
    places = {key: _place(key) for key in sorted(states)}
    columns = tuple(sorted({column for _, column in places.values()}))
    cells = {places[key]: state for key, state in states.items()}
    names = dict.fromkeys(name for name, _ in places.values())
    counted = Counter(states.values())
    return Grid(
        columns=columns,
        lines={name: tuple(cells.get((name, column)) for column in columns) for name in names},
        counts={state: counted[state] for state in SIGNS if counted[state]},
        failures={k: e.error or "" for k, e in sorted(entries.items()) if e is not None and e.state is State.FAILED},
    )


def _place(key: str) -> tuple[str, str]:
    line, dash, column = key.rpartition("-")
    return (line, column) if dash and line[:4].isdigit() else (key, "")
