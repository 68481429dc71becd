"""Writes the pages that follow from the code: `.env.example`, and in `docs` settings, commands, events and types.

`python docs/generate.py` writes them; with `--check` it writes nothing and fails when one is not in step.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from connectors.changes.events import EVENTS
from connectors.changes.schema_changes import POLICIES
from connectors.postgres.types import TYPES, Refusal, TypeRule, sql_name
from connectors.settings import Settings

ROOT = Path(__file__).parent.parent

Row = TypeVar("Row")


@dataclass(frozen=True)
class Variable:
    """One setting as its environment variable."""

    name: str
    default: str
    help: str


@dataclass(frozen=True)
class Group:
    """The settings of one branch of the tree."""

    title: str
    help: str
    variables: tuple[Variable, ...]


def main(*, check: bool) -> int:
    """Writes the pages, or names those that are not in step; returns the exit code."""
    os.environ.pop("LAKEHOUSE_HOME", None)
    os.environ["COLUMNS"] = "100"
    groups = tuple(setting_groups())
    pages = {
        ".env.example": env_example(groups),
        "docs/settings.md": settings_page(groups),
        "docs/commands.md": commands_page(),
        "docs/events.md": events_page(),
        "docs/evolution.md": evolution_page(),
        "docs/types.md": types_page(),
    }
    stale = [path for path, text in pages.items() if not (ROOT / path).exists() or (ROOT / path).read_text() != text]
    if check:
        for path in stale:
            print(f"{path} is not in step with the code\nhint: make docs", file=sys.stderr)
        return int(bool(stale))
    for path in stale:
        (ROOT / path).write_text(pages[path])
        print(f"wrote {path}", file=sys.stderr)
    return 0


def setting_groups() -> Iterator[Group]:
    """The tree of settings, one group per branch, in the order of the code."""
    prefix = Settings.model_config["env_prefix"]
    for title, field in Settings.model_fields.items():
        model = field.annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            variable = Variable(f"{prefix}{title}".upper(), _default(field), field.description or "")
            yield Group(title, "Where the state of this machine is kept.", (variable,))
            continue
        variables = tuple(
            Variable(f"{prefix}{title}__{name}".upper(), _default(leaf), leaf.description or "")
            for name, leaf in model.model_fields.items()
        )
        yield Group(title, (model.__doc__ or "").strip(), variables)


def env_example(groups: tuple[Group, ...]) -> str:
    """All settings commented out at their defaults, so that a plain copy changes nothing."""
    lines = ["# Copy to .env and uncomment what you change. Written by `make docs` from connectors/settings.py."]
    for group in groups:
        lines += ["", f"# {group.help}"]
        for variable in group.variables:
            lines += [f"#   {variable.help}", f"# {variable.name}={variable.default}"]
    return "\n".join(lines) + "\n"


def settings_page(groups: tuple[Group, ...]) -> str:
    """The reference of settings."""
    lines = [
        "# Settings",
        "",
        "Read from the environment, then `.env`, then what `lakehouse up` started; first wins.",
        "Written by `make docs` from `connectors/settings.py`.",
    ]
    for group in groups:
        lines += ["", f"## {group.title}", "", group.help, "", "| variable | default | meaning |", "|---|---|---|"]
        for variable in group.variables:
            default = f"`{variable.default}`" if variable.default else ""
            lines.append(f"| `{variable.name}` | {default} | {variable.help} |")
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """The reference of commands, as typer itself writes it from their help texts."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "commands.md"
        source = ["deployments.cli", "utils", "docs", "--name", "lakehouse", "--output", str(page)]
        subprocess.run([sys.executable, "-m", "typer", *source], cwd=ROOT, check=True, capture_output=True)
        text = page.read_text().strip()
    return f"{text.replace('# `lakehouse`', '# Commands', 1)}\n"


def events_page() -> str:
    """The reference of events."""
    lines = [
        "# Events",
        "",
        "What can happen at the source and to the stream, and what the lake makes of it.",
        "What counts as newer: [decision 5](decisions/0005-order-of-changes.md). `op` is Debezium's name.",
        "Written by `make docs` from `connectors/changes/events.py`; every row is proven by a test.",
    ]
    for heading, events in EVENTS.items():
        lines += ["", f"## {heading}", "", "| event | arrives as | bronze | silver |", "|---|---|---|---|"]
        lines += [f"| {event.name} | {event.arrives} | {event.bronze} | {event.silver} |" for event in events]
    return "\n".join(lines) + "\n"


def evolution_page() -> str:
    """The reference of changes of a table's definition."""
    lines = [
        "# Changes of tables",
        "",
        "What becomes of a table in the lake when its definition changes at the source. Every drain compares the",
        "source's catalogue with the contracts in the lake before it merges, whether rows were written or not.",
        "",
        "- A change that can't have changed a value that silver has is followed: the table **goes on**.",
        "- Where the catalogue can't tell, the table **is compared** with its source, exactly, also while it is",
        "  written to ([decision 11](decisions/0011-changes-that-no-event-carries.md)). Equal: the drain goes on.",
        "- A table that differs, or whose events can't be read by the new definition, **is paused**: it keeps its last",
        "  state, its changes are safe in bronze, the others go on, and the run names what to do. `lakehouse resync`",
        "  resyncs it with its new columns, while capturing goes on, and puts it in place at once. With a key",
        "  and no more than `LAKEHOUSE_CDC__AUTO_RESYNC_ROWS` rows, a drain does that by itself, and says so.",
        "",
        "The strictest of a table's changes counts. [alterations.md](alterations.md) goes through PostgreSQL's",
        "statements, one by one. Written by `make docs` from `connectors/changes/schema_changes.py`; every row is",
        "proven by a test.",
        "",
        "A table is captured no more once `LAKEHOUSE_CDC__TABLES` leaves it out (`*.*,!public.log`), or the source has",
        "dropped or renamed it, and `lakehouse source register` has run. Its silver stays, and can be read, until",
        "`lakehouse source forget public.log --yes` deletes it.",
        "",
        "| change | the table | because |",
        "|---|---|---|",
    ]
    rows = POLICIES.values()
    answers = {"followed": "goes on", "verified": "is compared", "paused": "is paused"}
    lines += [f"| {row.kind} | {answers[row.answer]} | {row.effect} |" for row in rows]
    return "\n".join(lines) + "\n"


def types_page() -> str:
    """The reference of types; neighbours with the same row share a line."""
    captured = {name: row for name, row in TYPES.items() if isinstance(row, TypeRule)}
    refused = {name: row for name, row in TYPES.items() if isinstance(row, Refusal)}
    lines = [
        "# Types",
        "",
        "What becomes of the values of every PostgreSQL type, under the catalogue's names: `bpchar` is `char(n)`.",
        "A domain is kept as what it is made of. A value that silver can't hold sends its row to quarantine, with the",
        "reason; of an update, silver keeps the row as it was before. The other rows go on.",
        "Written by `make docs` from `connectors/postgres/types.py`; a test sends values of every captured type",
        "through Debezium.",
        "",
        "Let Kafka Connect run in UTC, as the local stack does.",
        "",
        "## Captured",
        "",
        "| type | outcome | kept as | why | goes to quarantine | limits |",
        "|---|---|---|---|---|---|",
    ]
    for rule, types in _lines(captured):
        kept = "decimal(38,s)" if "numeric(p,s)" in types else _KEPT.get(str(rule.arrow), str(rule.arrow))
        lines.append(f"| {types} | {rule.outcome} | {kept} | {rule.why} | {rule.quarantined} | {rule.limits} |")
    lines += [
        "",
        "## Refused",
        "",
        "`source check` names such columns, with SQL that makes text of them.",
        "",
        "| type | why |",
        "|---|---|",
    ]
    lines += [f"| {types} | {refusal.why} |" for refusal, types in _lines(refused)]
    return "\n".join(lines) + "\n"


_KEPT = {
    "int64": "bigint",
    "bool": "boolean",
    "date32[day]": "date",
    "timestamp[us, tz=UTC]": "timestamp",
    "decimal128(38, 2)": "decimal(38,2)",
}


def _lines(rows: dict[str, Row]) -> Iterator[tuple[Row, str]]:
    for row, names in groupby(rows, key=rows.__getitem__):
        yield row, ", ".join(f"`{sql_name(name)}`" for name in names)


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, Path) and value == ROOT / "dbt":
        return ""  # in a wheel it is elsewhere
    return str(value).removeprefix(f"{Path.cwd()}/")


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
