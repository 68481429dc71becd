"""How a flow run ends: its result, with a message that says what it did."""

from collections.abc import Callable
from typing import TypeVar, cast

from prefect.states import Completed, Failed

from connectors.errors import TerminalError

R = TypeVar("R")


def ended(result: Callable[[], R], message: str) -> R:
    """Ends a run as Completed with a result, or as Failed with the error that getting it raised.

    Who calls the flow from Python gets the result, or the error. Prefect takes a returned state for the final one.

    Args:
        result: Returns the result of the flow, or raises a `TerminalError`.
        message: What came of the run, in a few words.
    """
    try:
        return cast(R, Completed(message=message, data=result()))
    except TerminalError as error:
        return cast(R, Failed(message=f"{message}: {error}", data=error))


def nothing() -> None:
    """The result of a flow that has none."""
