"""Reading the services' logs."""

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

POLL_SECONDS = 0.3


def tail(log: Path, *, lines: int) -> list[str]:
    """The last lines of a log; none if there is no such file."""
    if not log.exists() or lines == 0:
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 1000 * lines))
        return file.read().decode(errors="replace").splitlines()[-lines:]


def follow(logs: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    """Yields name and line of everything that is written from now on; never ends."""
    positions = {name: log.stat().st_size if log.exists() else 0 for name, log in logs.items()}
    pause = threading.Event()
    while True:
        for name, log in logs.items():
            for line in _new_lines(log, positions[name]):
                positions[name] += len(line)
                yield name, line.decode(errors="replace").rstrip("\r\n")
        pause.wait(POLL_SECONDS)


def _new_lines(log: Path, position: int) -> Iterator[bytes]:
    """Whole lines from a position on; a line that is still being written is left for the next time."""
    if not log.exists():
        return
    with log.open("rb") as file:
        file.seek(position if position <= log.stat().st_size else 0)
        yield from (line for line in file if line.endswith(b"\n"))
