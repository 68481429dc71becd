"""Rows of texts, before they are typed."""

from collections.abc import Mapping

import pyarrow as pa

_MOST_BYTES = 16 * 1024 * 1024


class Batch:
    """Rows of texts, column by column.

    Attributes:
        kinds: Type that the values of a column look like.
        bad: Rows that are none: line, reason and how they begin.
    """

    MOST_ROWS = 20_000

    def __init__(self) -> None:
        self.kinds: dict[str, str] = {}
        self.bad: list[tuple[int, str, bytes]] = []
        self.count = 0
        self._lines: list[int] = []
        self._raws: list[bytes] = []
        self._values: dict[str, list[str | None]] = {}
        self._size = 0

    def add(self, row: Mapping[str, str | None], kinds: Mapping[str, str]) -> None:
        """Adds a row; a column that others have and it has not is NULL."""
        count = self.count
        for name, value in row.items():
            column = self._values.get(name)
            if column is None:
                column = self._values[name] = [None] * count
            column.append(value)
        if len(row) < len(self._values):
            for column in self._values.values():
                if len(column) == count:
                    column.append(None)
        for name, kind in kinds.items():
            if self.kinds.get(name) != kind:
                self.kinds[name] = wider(self.kinds.get(name), kind)
        self.count += 1

    def add_line(self, line: int, raw: bytes, row: Mapping[str, str | None], kinds: Mapping[str, str]) -> None:
        """Adds a row of a file."""
        self.add(row, kinds)
        self._lines.append(line)
        self._raws.append(raw)
        self._size += len(raw)

    @property
    def full(self) -> bool:
        """Whether it is time to hand it on."""
        return self.count >= self.MOST_ROWS or self._size >= _MOST_BYTES

    def table(self) -> pa.Table:
        """The rows; those of a file have `_row` and `_raw`."""
        columns = {name: pa.array(values, pa.string()) for name, values in self._values.items()}
        if self._lines:
            columns |= {"_row": pa.array(self._lines, pa.int64()), "_raw": pa.array(self._raws, pa.binary())}
        return pa.table(columns)

    @property
    def column_kinds(self) -> dict[str, str]:
        """Type of each column; text where it has no value."""
        return {name: self.kinds.get(name, "text") for name in self._values}


def wider(known: str | None, found: str) -> str:
    """The type that has the values of both."""
    if known is None or known == found:
        return found
    return "double" if {known, found} == {"bigint", "double"} else "text"
