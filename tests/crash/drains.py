"""Drains in processes of their own, which a fault may kill, stop or starve.

They are forked from a server that has imported everything and opened nothing: to import takes longer than to drain.
"""

import multiprocessing
import os
import signal
import traceback
from dataclasses import dataclass

from connectors.cdc.sync import sync_source
from connectors.errors import ContractMismatch, TransientError

_PATIENCE_SECONDS = 240

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__, "connectors.cdc.resync", "connectors.cdc.drift"])


@dataclass(frozen=True)
class Outcome:
    """How a drain ended.

    Attributes:
        killed: It died of SIGKILL.
        error: Traceback of what it raised; None if it went well, or died.
        transient: What it raised says that trying again may succeed.
        paused: What it raised says that a table's definition changed.
    """

    killed: bool
    error: str | None = None
    transient: bool = False
    paused: bool = False

    @property
    def clean(self):
        """It did all there was to do."""
        return not self.killed and self.error is None

    def require(self, *, clean=False, paused=False):
        """Asserts that it did all there was to do or, unless that is required, that trying again may succeed."""
        excused = (self.transient or (paused and self.paused)) and not clean
        assert self.clean or excused, self.error or "the drain was killed"
        return self


class Drain:
    """One bounded drain with the merges after it, which runs from now on.

    Args:
        settings: The source and the lake.
        lsn: The marker to drain through.
        environment: Variables of the process, above the usual ones.
        prepare: Called in the process before anything else; a module's function, or a partial of one.
        then: Called with the settings afterwards; likewise a function, or a partial of one.
    """

    def __init__(self, settings, lsn, *, environment=None, prepare=None, then=None):
        # The server has the environment of its own start.
        addresses = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        self._outcome, theirs = _processes.Pipe(duplex=False)
        arguments = (settings, lsn, {**addresses, **(environment or {})}, prepare, then, theirs)
        self._process = _processes.Process(target=_run, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    @property
    def running(self):
        """Whether it has not ended yet."""
        return self._process.is_alive()

    def send(self, number):
        """Sends a signal; returns whether there was a process to take it."""
        try:
            os.kill(self._process.pid, number)
        except ProcessLookupError:
            return False
        return True

    def kill(self):
        """Kills it with -9; returns whether it had not ended yet."""
        self._process.kill()
        return self.wait().killed

    def ended_within(self, seconds):
        """Waits so long at the most; returns whether it has ended."""
        self._process.join(seconds)
        return not self.running

    def wait(self):
        """Waits for the end."""
        if not self.ended_within(_PATIENCE_SECONDS):
            self._process.kill()
            self._process.join()
            raise AssertionError(f"a drain did not end within {_PATIENCE_SECONDS} s")
        if self._process.exitcode == -signal.SIGKILL:
            return Outcome(killed=True)
        try:
            return self._outcome.recv()
        except EOFError:
            return Outcome(killed=False, error=f"it ended with exit code {self._process.exitcode}")


def _require_merged(outcomes):
    """Raises what a merge raised as it is: whether it is transient matters here."""
    for outcome in outcomes.values():
        if isinstance(outcome, Exception):
            raise outcome


def _kind(error):
    return {"transient": isinstance(error, TransientError), "paused": isinstance(error, ContractMismatch)}


def _run(settings, lsn, environment, prepare, then, outcome):
    os.environ.update(environment)
    # What libraries have to say about a fault is in the error, too.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        if prepare is not None:
            prepare()
        _require_merged(sync_source(settings, through_lsn=lsn).outcomes)
        if then is not None:
            then(settings)
    except BaseException as error:  # noqa: BLE001 - the edge of the process: whoever waits for it looks at this
        outcome.send(Outcome(killed=False, error=traceback.format_exc(), **_kind(error)))
    else:
        outcome.send(Outcome(killed=False))
