"""The addresses of all tables of the lake."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Self
from urllib.parse import quote

from connectors.errors import ConfigurationError
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_LOG_NAME = 255 - len("source_table=")
_DIGITS = 16


def folder(name: str) -> str:
    """A folder name for any identifier; distinct names stay distinct, also where letter case does not count.

    Plain lower-case names stay as they are; of the rest, upper-case letters too, each byte becomes `~` and two digits.
    Not `%`: delta-rs decodes it in an address, on S3, or can't find what it wrote, in a folder.
    """
    return "".join(
        c if _PLAIN.fullmatch(c) and not c.isupper() else "".join(f"~{b:02x}" for b in c.encode()) for c in name
    )


def log_name(table: TableName) -> str:
    """Name of a table in the change log, whose folders are called by it.

    Where that would be longer than a file system takes a name, its end becomes digits that no other table has.
    """
    name = str(table)
    if len(_in_folder(name)) <= _LONGEST_LOG_NAME:
        return name
    kept = name
    while len(_in_folder(kept)) > _LONGEST_LOG_NAME - _DIGITS - 1:
        kept = kept[:-1]
    return f"{kept}-{hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]}"


@dataclass(frozen=True)
class LakeLayout:
    """Addresses of the tables of one source, below the lake's root.

    Attributes:
        root: A folder or an `s3://` address, without a slash at the end.
        source: Name of the source.
    """

    root: str
    source: str

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The layout of the source and the lake that the settings name."""
        return cls(settings.lake.root, settings.cdc.source)

    @property
    def bronze(self) -> str:
        """The change log: all messages of the source, as received."""
        return f"{self.root}/bronze/{self.source}/changes"

    @property
    def contracts(self) -> str:
        """The versions of the source's table contracts."""
        return f"{self.root}/bronze/{self.source}/contracts"

    @property
    def epochs(self) -> str:
        """The slot epochs of the source."""
        return f"{self.root}/bronze/{self.source}/epochs"

    @property
    def verdicts(self) -> str:
        """Which tables were found to differ from their source."""
        return f"{self.root}/bronze/{self.source}/verdicts"

    @property
    def backfills(self) -> str:
        """What became of every partition of every backfill."""
        return f"{self.root}/backfills/{self.source}/partitions"

    @property
    def quarantine(self) -> str:
        """Messages that could not be read, with the reason."""
        return f"{self.root}/quarantine/{self.source}/rejected"

    @property
    def registers(self) -> dict[str, str]:
        """The small tables in which runs keep what they know, by name."""
        return {
            "contracts": self.contracts,
            "epochs": self.epochs,
            "verdicts": self.verdicts,
            "quarantine": self.quarantine,
            "replays": self.replays,
            "backfills": self.backfills,
        }

    @property
    def replays(self) -> str:
        """What became of the messages in quarantine when they were tried again."""
        return f"{self.root}/quarantine/{self.source}/replays"

    def silver(self, table: TableName) -> str:
        """The current rows of a source table."""
        return f"{self.root}/silver/{self.source}/{folder(table.schema)}/{folder(table.name)}"

    def current(self, table: TableName) -> str:
        """The rows of a source table without a primary key as they are now; silver is their history."""
        return f"{self.root}/current/{self.source}/{folder(table.schema)}/{folder(table.name)}"

    def load(self, source: str, table: str) -> str:
        """The rows of a table that batch loads write."""
        return f"{self.root}/silver/{source}/{table}"

    def rebuild(self, table: TableName) -> str:
        """Where a silver table is rebuilt before it replaces the old one."""
        return f"{self.root}/silver/{self.source}~rebuild/{folder(table.schema)}/{folder(table.name)}"

    def trial(self, table: TableName) -> str:
        """Where pending changes are merged into a copy of a silver table, to compare it with its source."""
        return f"{self.root}/silver/{self.source}~trial/{folder(table.schema)}/{folder(table.name)}"

    def snapshot(self, table: TableName) -> str:
        """What a silver table was when bronze was trimmed: a rebuild begins with it."""
        return f"{self.root}/silver/{self.source}~snapshot/{folder(table.schema)}/{folder(table.name)}"


def select_names(known: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """Returns the names of the lake's tables that patterns with `*` and `?` mean, in the order they came.

    Raises:
        ConfigurationError: None is meant.
    """
    names = list(known)
    chosen = [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]
    if not chosen:
        raise no_such_table(names, patterns)
    return chosen


def no_such_table(known: Iterable[str], patterns: Sequence[str]) -> ConfigurationError:
    """The error of a table that the lake does not have."""
    there = ", ".join(known)
    return ConfigurationError(
        f"no table of the lake is meant by {', '.join(patterns)}",
        hint=f"there are {there}" if there else "nothing was ever drained or loaded",
    )


def _in_folder(value: str) -> str:
    """A partition's value as Delta writes it into the name of a folder."""
    return quote(value, safe="")


def view_name(table: TableName) -> str:
    """Name of a silver table's view in DuckDB's schema `silver`: `orders`, or `sales__orders` outside `public`."""
    return table.name if table.schema == "public" else f"{table.schema}__{table.name}"
