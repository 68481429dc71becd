"""A signal that arrives while DuckDB works ends what goes on, and is no failure of it."""

import os
import signal
import threading

import duckdb
import pytest

from connectors.interrupts import raise_interrupt
from connectors.lake.storage import duckdb_connection

LONG = "SELECT sum(range % 7) FROM range(1_000_000_000_000)"


class Told(BaseException):
    """What a handler raises."""


@pytest.fixture
def handled():
    def handler(*_):
        raise Told

    before = signal.signal(signal.SIGTERM, handler)
    yield
    signal.signal(signal.SIGTERM, before)


def work_until(number, folder):
    threading.Timer(0.2, os.kill, (os.getpid(), number)).start()
    with duckdb_connection(str(folder)) as connection:
        # With several, DuckDB may look for signals only when all is done.
        connection.execute("SET threads = 1")
        connection.execute(LONG)


def test_run_that_waits_for_the_signal_gets_it(handled, tmp_path):
    with pytest.raises(Told):
        work_until(signal.SIGTERM, tmp_path)


def test_command_that_is_interrupted_is(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        work_until(signal.SIGINT, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "Invalid Input Error: reading the schema of the object registered as 'm' failed: TerminationSignal: ",
        'Traceback (most recent call last):\n  File "x.py", line 1\nprefect.exceptions.TerminationSignal\n\nAt: x',
    ],
)
def test_it_is_recognised_where_duckdb_calls_python(handled, text):
    with pytest.raises(Told):
        raise_interrupt(duckdb.Error(text))


def test_other_errors_are_none():
    raise_interrupt(duckdb.ConversionException("Could not convert string 'Query interrupted' to INT32"))
