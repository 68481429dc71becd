"""`loads.yaml`: what is loaded in batches, from where and how, as a user declares it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from connectors.errors import ConfigurationError
from connectors.loads.types import column_type
from connectors.postgres.identifiers import TableName

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
"""What names of sources and tables look like: they are schemas and tables of every reader."""

_RESERVED = frozenset(("silver", "bronze", "quarantine", "staging", "intermediate", "marts", "gold", "main", "memory"))


class _Model(BaseModel):
    # A misspelt option must not be taken for one that is unset.
    model_config = ConfigDict(extra="forbid", frozen=True)


class TableSpec(_Model):
    """What every table of a load can declare."""

    columns: dict[str, str] = Field(
        default_factory=dict, description="Type of columns; of the others it is taken from the first rows."
    )
    pii: dict[str, Literal["hash", "drop"]] = Field(
        default_factory=dict, description="Columns with personal data: kept as a salted hash, or not at all."
    )
    new_columns: Literal["evolve", "freeze", "quarantine"] = Field(
        "evolve",
        description="Columns that the table does not have: added; or the load fails; or their rows are rejected.",
    )

    @property
    def has_days(self) -> bool:
        """Whether it can be loaded by day."""
        return False

    @field_validator("columns")
    @classmethod
    def _know_types(cls, given: dict[str, str]) -> dict[str, str]:
        for name, kind in given.items():
            try:
                column_type(kind)
            except ConfigurationError as error:
                raise ValueError(f"{name}: {error.message}; {error.hint}") from None
        return given


class SourceSpec(_Model):
    """What every source declares."""

    type: str
    tables: Mapping[str, TableSpec]


class Declaration(BaseModel):
    """All sources of a file.

    Attributes:
        file: Where it was read from.
        sources: By name.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    file: Path
    sources: dict[str, SourceSpec]

    def source(self, name: str) -> SourceSpec:
        """Returns a source by name.

        Raises:
            ConfigurationError: There is none of this name.
        """
        if name not in self.sources:
            known = ", ".join(sorted(self.sources)) or "it declares none"
            raise ConfigurationError(f"{self.file} declares no source {name!r}", hint=f"there is: {known}")
        return self.sources[name]


def read_declaration(file: Path, *, kinds: Mapping[str, type[SourceSpec]], taken: str) -> Declaration:
    """Reads a declaration; of a file that is not there, one without sources.

    Args:
        file: The file.
        kinds: Model of each type of source.
        taken: Name that no source may have: that of the captured source.

    Raises:
        ConfigurationError: It is wrong; names every line that is, with its fix.
    """
    if not file.exists():
        return Declaration(file=file, sources={})
    text = file.read_text(encoding="utf-8")
    try:
        tree, root = yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = 0 if error.problem_mark is None else error.problem_mark.line + 1
        raise ConfigurationError(f"{file}:{line}: {error.problem}", hint="it is to be YAML") from error
    sources, wrong = {}, []
    entries = tree.get("sources") if isinstance(tree, dict) else None
    if not isinstance(entries, dict) or set(tree) != {"sources"}:
        raise ConfigurationError(f"{file}:1: it is to have `sources:`, and nothing else", hint=_HINT)
    for name, entry in entries.items():
        path: tuple[int | str, ...] = ("sources", name)
        problem = _problem_of_name(name, taken)
        kind = kinds.get(str(entry.get("type"))) if isinstance(entry, dict) else None
        if problem is not None:
            wrong.append((path, problem))
        elif kind is None:
            wrong.append((path, f"`type:` is to be one of {', '.join(sorted(kinds))}"))
        else:
            try:
                sources[name] = kind.model_validate(entry)
            except ValidationError as error:
                wrong += [((*path, *e["loc"]), _message(e)) for e in error.errors(include_url=False)]
    for name, source in sources.items():
        wrong += [(("sources", name, "tables", t), p) for t in source.tables if (p := _problem_of_table(t))]
    if wrong:
        lines = [f"{file}:{_line(root, path)}: {'.'.join(map(str, path[1:]))}: {problem}" for path, problem in wrong]
        raise ConfigurationError("\n".join(lines), hint=_HINT)
    return Declaration(file=file, sources=sources)


def declared_names(file: Path) -> list[TableName]:
    """Returns source and table of everything that a file declares, whatever its options: none of them is looked at."""
    if not file.exists():
        return []
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError:  # whoever loads is told so
        return []
    sources = tree.get("sources") if isinstance(tree, dict) else None
    entries = sources.items() if isinstance(sources, dict) else ()
    return [
        TableName(str(source), str(table))
        for source, entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("tables"), dict)
        for table in entry["tables"]
    ]


_HINT = "docs/loads.md shows what can be declared"


def _message(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such option"
    return str(error["msg"]).removeprefix("Value error, ")


def _problem_of_name(name: object, taken: str) -> str | None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return "a source is named like `shop_s3`: lower-case letters, digits and underscores, 40 at the most"
    if name in _RESERVED or name == taken:
        return f"{name!r} has another meaning in the lake; choose another name"
    return None


def _problem_of_table(name: str) -> str | None:
    if NAME.fullmatch(name):
        return None
    return "a table is named like `price_lists`: lower-case letters, digits and underscores, 40 at the most"


def _line(node: yaml.Node | None, path: tuple[int | str, ...]) -> int:
    """The line of what a path leads to, or of the last part of it that is there."""
    line = 1
    for step in path:
        if isinstance(node, yaml.MappingNode):
            found = [(k, v) for k, v in node.value if k.value == str(step)]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            found = [(v, v) for v in node.value[step : step + 1]]
        else:
            found = []
        if not found:
            break
        key, node = found[0]
        line = key.start_mark.line + 1
    return line
