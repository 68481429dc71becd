"""State of the stack in the state folder: ports, the command that runs it, and addresses for the settings."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from pydantic import BaseModel

STATE_FILE = "stack-state.json"


class ProcessId(BaseModel):
    """A process that can't be mistaken for a later one with the same number."""

    pid: int
    created: float

    @classmethod
    def of(cls, process: psutil.Process) -> "ProcessId":
        """Identifies a living process."""
        return cls(pid=process.pid, created=process.create_time())

    def find(self) -> psutil.Process | None:
        """The process, if it is still alive."""
        try:
            process = psutil.Process(self.pid)
            alive = process.create_time() == self.created and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return process if alive else None


class StackState(BaseModel):
    """The record of a stack.

    Attributes:
        ports: Port by name; kept when the stack is down, so that addresses stay the same.
        with_aws: Whether S3 and DynamoDB are part of it: once asked for, they stay.
        holder: The command `lakehouse up` in the foreground, if the stack lives as long as that.
    """

    ports: dict[str, int] = {}
    with_aws: bool = False
    holder: ProcessId | None = None


def read_state(home: Path) -> StackState:
    """Reads the record; an empty one if there is none."""
    file = home / STATE_FILE
    return StackState.model_validate_json(file.read_bytes()) if file.exists() else StackState()


def write_state(home: Path, state: StackState) -> None:
    """Writes the record."""
    write_json(home / STATE_FILE, state.model_dump(mode="json"))


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Replaces a file as a whole, readable by its owner only."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, aside = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    with os.fdopen(descriptor, "w") as out:
        json.dump(content, out, indent=2)
    Path(aside).replace(file)
