"""Where commands print: data on stdout, everything else on stderr, so that output can be piped."""

import logging
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from connectors.errors import LakehouseError
from connectors.settings import home_folder

talk = Console(stderr=True, highlight=False)
data = Console(highlight=False, soft_wrap=True)

_LINE_SECONDS = 10.0


@contextmanager
def progress(doing: str, *, line_seconds: float = _LINE_SECONDS) -> Iterator[None]:
    """Shows that a long step goes on: a spinner on a terminal, else a line now and then; and what the library logs.

    Args:
        doing: What goes on, `Merging public.orders`.
        line_seconds: Seconds between two lines where stderr is a file.
    """
    if talk.is_terminal:
        with talk.status(doing), _shown_log():
            yield
        return
    ended, began = threading.Event(), time.monotonic()

    def report() -> None:
        while not ended.wait(line_seconds):
            talk.print(f"{doing} ({time.monotonic() - began:.0f} s so far)", soft_wrap=True)

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        with _shown_log():
            yield
    finally:
        ended.set()
        reporter.join()


class _Talking(logging.Handler):
    """Prints what is logged."""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints one message."""
        talk.print(record.getMessage(), soft_wrap=True)


@contextmanager
def _shown_log() -> Iterator[None]:
    """Shows what the library logs meanwhile: what it waits for."""
    logger, handler = logging.getLogger("connectors"), _Talking()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def print_error(error: LakehouseError) -> None:
    """Prints what went wrong, and on a line of its own what to do about it."""
    talk.print(Text.assemble(("error: ", "bold red"), error.message), soft_wrap=True)
    if error.hint is not None:
        talk.print(Text.assemble(("hint: ", "bold"), error.hint), soft_wrap=True)


def unforeseen(error: Exception) -> LakehouseError:
    """Makes an error for people of one that nobody foresaw; its traceback goes to a file, for those who mend it."""
    file = home_folder() / "traceback.txt"
    said = f"{type(error).__name__}: {error}"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(traceback.format_exception(error)))
    except OSError:
        return LakehouseError(said, hint="nobody foresaw this; `lakehouse doctor` may know more")
    return LakehouseError(said, hint=f"nobody foresaw this: report it, with {file}; `lakehouse doctor` may know more")
