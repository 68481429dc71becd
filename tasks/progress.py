"""What a backfill shows while it runs: its progress, and the status of its partitions."""

import time
from collections.abc import Callable
from typing import cast
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate

from connectors.backfill.grid import SIGNS, Grid
from tasks.markdown import cell

_GRID_SECONDS = 2


class BackfillProgress:
    """Two artifacts of a run, kept up to date.

    Args:
        target: Name of the target.
        partitions: How many are to be run.
        look: Returns the status of all partitions of the range.
    """

    def __init__(self, target: str, partitions: int, look: Callable[[], Grid]) -> None:
        key = f"backfill-{target.lower().replace('_', '-').replace('.', '-')}"
        self._partitions = partitions
        self._ended = 0
        self._shown_at = time.monotonic()
        progress = create_progress_artifact(
            _percent(0, partitions), key=f"{key}-progress", description=f"Progress of the last backfill of {target}."
        )
        page = create_markdown_artifact(
            render_grid(target, look()),
            key=key,
            description=f"Partition status of {target}, as of its last backfill.",
        )
        # Prefect's signatures cover its asynchronous use, too.
        self._progress, self._grid = cast(UUID, progress), cast(UUID, page)
        self._target = target
        self._look = look

    def advance(self) -> None:
        """Counts one more partition that ended; renews the grid from time to time."""
        self._ended += 1
        update_progress_artifact(self._progress, _percent(self._ended, self._partitions))
        if time.monotonic() - self._shown_at > _GRID_SECONDS:
            self.show()

    def show(self) -> None:
        """Renews the grid."""
        with get_client(sync_client=True) as client:
            client.update_artifact(self._grid, ArtifactUpdate(data=render_grid(self._target, self._look())))
        self._shown_at = time.monotonic()


def render_grid(target: str, grid: Grid) -> str:
    """Returns the page of a backfill."""
    counts = ", ".join(f"{count:,} {state}" for state, count in grid.counts.items())
    lines = [f"| {' | '.join(('', *grid.columns))} |", f"|{':--|' * (1 + len(grid.columns))}"]
    for name, states in grid.lines.items():
        lines.append(f"| {' | '.join((cell(name), *('' if s is None else SIGNS[s] for s in states)))} |")
    legend = ", ".join(f"{SIGNS[state]} {state}" for state in grid.counts)
    parts = [f"## Partitions of `{target}`", f"{counts}.", "\n".join(lines), legend]
    if grid.failures:
        rows = "\n".join(f"| {cell(key)} | {cell(error)} |" for key, error in grid.failures.items())
        parts += ["### Failed", f"| partition | error |\n|:--|:--|\n{rows}"]
    return "\n\n".join(parts)


def _percent(ended: int, of: int) -> float:
    return 100.0 if of == 0 else 100 * ended / of
