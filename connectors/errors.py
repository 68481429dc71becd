"""Every error this library raises; the first branch is what the caller does about it.

LakehouseError
├── TransientError             try again later: nothing is wrong with the input
│   ├── ServiceUnavailable     a broker, database, worker or storage did not answer
│   └── CommitConflict         another writer committed first, and kept doing so
└── TerminalError              stop: trying again would fail in the same way
    ├── ConfigurationError     a setting, parameter or command line is wrong
    ├── SourceNotReady         the source database can't be captured as it is
    ├── CaptureStopped         changes of the source come no more, until somebody does something
    ├── PositionLost           the stream no longer holds what is to be read next
    ├── ContractMismatch       events and table contract disagree
    │   └── TablePaused        silver can't follow a changed definition: a command has to be run
    └── ReconciliationMismatch source and silver differ
"""

from typing import Any


class LakehouseError(Exception):
    """Base of all errors.

    Args:
        message: What went wrong, naming the value.
        hint: What to do about it, in a sentence of its own.
        **context: Facts a program would want; each becomes an attribute.
    """

    def __init__(self, message: str, *, hint: str | None = None, **context: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.context = context
        for name, value in context.items():
            setattr(self, name, value)

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


class TransientError(LakehouseError):
    """Trying again may succeed."""


class ServiceUnavailable(TransientError):
    """A service did not answer, or answered that it can't now."""


class CommitConflict(TransientError):
    """Other writers won every race for a commit."""


class TerminalError(LakehouseError):
    """Trying again would fail in the same way."""


class ConfigurationError(TerminalError):
    """A setting, a parameter or a command line is wrong."""


class SourceNotReady(TerminalError):
    """The source database can't be captured safely as it is."""


class CaptureStopped(TerminalError):
    """Changes of the source come to the stream no more, and will not by themselves."""


class PositionLost(TerminalError):
    """The stream no longer holds the position to read from: changes may be lost."""


class ContractMismatch(TerminalError):
    """Change events do not fit the table contract."""


class TablePaused(ContractMismatch):
    """A definition changed so that silver can't follow: the table stays at its last state, the others go on.

    Args:
        message: What changed, naming the table.
        table: The table.
        command: What resumes it.
        hint: The same as a sentence.
    """

    def __init__(self, message: str, *, table: object, command: str, hint: str) -> None:
        super().__init__(message, hint=hint, table=table)
        self.table = table
        self.command = command


class ReconciliationMismatch(TerminalError):
    """A silver table differs from its source."""
