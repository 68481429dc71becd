"""Signals that arrive while DuckDB works: DuckDB reports a failed query, and drops what the signal's handler raised."""

import re
import signal

# Where DuckDB had called Python, its message names the class; Prefect raises `TerminationSignal` at a SIGTERM.
_INTERRUPTED = re.compile(
    r"\AQuery interrupted\Z|failed: (KeyboardInterrupt|TerminationSignal)\b"
    r"|^([\w.]+\.)?(KeyboardInterrupt|TerminationSignal)\b",
    re.MULTILINE,
)


def raise_interrupt(error: Exception) -> None:
    """Raises what the handler of a signal raised, if DuckDB reports that as this error; else does nothing.

    Raises:
        KeyboardInterrupt: There was a signal. Where a run waits for SIGTERM, its handler decides: which signal it was
            is not known, and both are to end the run.
    """
    if _INTERRUPTED.search(str(error)) is None:
        return
    handler = signal.getsignal(signal.SIGTERM)
    if callable(handler):
        handler(signal.SIGTERM, None)
    raise KeyboardInterrupt from error
