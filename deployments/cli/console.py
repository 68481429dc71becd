"""Where commands print: data on stdout, everything else on stderr, so that output can be piped."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from connectors.errors import LakehouseError

talk = Console(stderr=True, highlight=False)
data = Console(highlight=False, soft_wrap=True)

_LINE_SECONDS = 10.0


@contextmanager
def progress(doing: str, *, line_seconds: float = _LINE_SECONDS) -> Iterator[None]:
    """Shows that a long step goes on: a spinner on a terminal, else a line now and then.

    Args:
        doing: What goes on, `Merging public.orders`.
        line_seconds: Seconds between two lines where stderr is a file.
    """
    if talk.is_terminal:
        with talk.status(doing):
            yield
        return
    ended, began = threading.Event(), time.monotonic()

    def report() -> None:
        while not ended.wait(line_seconds):
            talk.print(f"{doing} ({time.monotonic() - began:.0f} s so far)", soft_wrap=True)

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        yield
    finally:
        ended.set()
        reporter.join()


def print_error(error: LakehouseError) -> None:
    """Prints what went wrong, and on a line of its own what to do about it."""
    talk.print(Text.assemble(("error: ", "bold red"), error.message), soft_wrap=True)
    if error.hint is not None:
        talk.print(Text.assemble(("hint: ", "bold"), error.hint), soft_wrap=True)
