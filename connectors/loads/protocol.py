"""What a source of batch loads is: it cuts what is new into slices, each of which becomes one commit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import pyarrow as pa

from connectors.lake.load_table import Replaced
from connectors.loads.declaration import SourceSpec
from connectors.loads.reading import Reading
from connectors.loads.window import Window
from connectors.settings import Settings

Progress = Mapping[str, Any]
"""How far a table's source has been read: what the source left there with the last commit, as JSON has it.

A source of objects keeps them under `objects`, by name, each as a list that begins with its version.
"""


@dataclass(frozen=True)
class Done:
    """What to commit after a slice was read.

    Attributes:
        progress: How far the source is read with it.
        replaced: Which rows the new ones take the place of; None: they are added.
        key: Columns by which a new row takes the place of an old one; the last of several new ones counts.
        broken: Objects whose rows are not to be written, because they broke off.
        read: Version of each object that was read to its end, empty if it is gone: what was rejected of such before,
            and is not any more, is settled.
    """

    progress: Progress
    replaced: Replaced | None = None
    key: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    read: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether the rows are all that the table has now."""
        return self.replaced is not None and self.replaced.column is None


class Slice(Protocol):
    """Rows that are committed together."""

    @property
    def label(self) -> str:
        """What it is, for people."""

    @property
    def size(self) -> int | None:
        """Bytes at the source; None: unknown."""

    def read(self, reading: Reading) -> Iterator[pa.Table]:
        """Yields the rows, typed, and rejects what can't be read; called once."""

    def done(self) -> Done:
        """What to commit, once it was read to its end."""


@dataclass(frozen=True)
class Estimate:
    """What a load would read.

    Attributes:
        objects: Objects, segments or tables.
        rows: About so many rows; None: unknown.
        size: Bytes; None: unknown.
    """

    objects: int
    rows: int | None
    size: int | None


class Source(Protocol):
    """A source of batch loads. It keeps nothing: how far it was read comes with every call.

    Attributes:
        spec: Model of its entry in the declaration.
    """

    spec: ClassVar[type[SourceSpec]]

    def __init__(self, settings: Settings, declared: Any) -> None:
        """Opens it; `declared` is of the model `spec`."""

    def slices(self, name: str, table: Any, progress: Progress, window: Window) -> Iterator[Slice]:
        """Yields what is new in a table, in the order in which to commit it.

        Args:
            name: Name of the table.
            table: Its declaration, of the source's own model.
            progress: What the last commit left.
            window: Which days.

        Raises:
            ConfigurationError: The source refuses, or the table has no days to choose from.
            ServiceUnavailable: The source does not answer.
        """

    def estimate(self, name: str, table: Any, progress: Progress, window: Window) -> Estimate:
        """Says what a load would read, without reading it."""
