"""Writes the pages that follow from the code: `.env.example`, the references in `docs`, the imports in CONTRIBUTING.

`python docs/generate.py` writes them; with `--check` it writes nothing and fails if one is not in step.
"""

import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import grimp
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from connectors.changes.events import EVENTS
from connectors.changes.policies import POLICIES
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
        "CONTRIBUTING.md": contributing_page((ROOT / "CONTRIBUTING.md").read_text()),
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
            yield Group(title, "State on this machine.", (variable,))
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
        "To change a setting, set its environment variable or put it into `.env`. The environment wins over `.env`,",
        "and `.env` over the addresses of what `lakehouse up` started.",
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
        "To look up what bronze and silver do with anything that happens at the source or to the stream.",
        "The order of changes: [decision 5](decisions/0005-order-of-changes.md). `op` is Debezium's field.",
        "Written by `make docs` from `connectors/changes/events.py`; a test proves every row.",
    ]
    for heading, events in EVENTS.items():
        lines += ["", f"## {heading}", "", "| event | arrives as | bronze | silver |", "|---|---|---|---|"]
        lines += [f"| {event.name} | {event.arrives} | {event.bronze} | {event.silver} |" for event in events]
    return "\n".join(lines) + "\n"


def evolution_page() -> str:
    """The reference of schema evolution."""
    lines = [
        "# Schema evolution",
        "",
        "What happens to a table in the lake when its definition changes at the source. Before it merges, every drain",
        "compares the source's catalogue with the contracts in the lake, whether rows were written or not.",
        "",
        "- **Followed**: the change can't have changed a value that silver holds. Merging continues.",
        "- **Compared**: the catalogue alone can't say. The table is compared with its source, exactly, even while it",
        "  is written to ([decision 11](decisions/0011-changes-that-no-event-carries.md)). Equal: merging continues.",
        "- **Paused**: the table differs, or its events don't fit the new definition. Silver keeps its last state,",
        "  changes are safe in bronze, other tables continue, and the run names the command to run. `lakehouse resync`",
        "  takes a new snapshot with the new columns while capture goes on, and switches to it in one commit. If the",
        "  table has a primary key and at most `LAKEHOUSE_CDC__AUTO_RESYNC_ROWS` rows, the drain resyncs it by itself.",
        "",
        "If a table changed in several ways, the strictest answer counts. [alterations.md](alterations.md) lists",
        "PostgreSQL's statements one by one. Written by `make docs` from `connectors/changes/policies.py`; a",
        "test proves every row.",
        "",
        "To stop capturing a table, exclude it with `LAKEHOUSE_CDC__TABLES` (`*.*,!public.log`), or drop or rename it",
        "at the source, and run `lakehouse source register`. Its silver table stays readable until",
        "`lakehouse source forget public.log --yes` deletes it.",
        "",
        "| change | answer | effect, or why silver can't follow |",
        "|---|---|---|",
    ]
    rows = POLICIES.values()
    answers = {"followed": "followed", "verified": "compared", "paused": "paused"}
    lines += [f"| {row.kind} | {answers[row.answer]} | {row.effect} |" for row in rows]
    return "\n".join(lines) + "\n"


def types_page() -> str:
    """The reference of types; neighbours with the same row share a line."""
    captured = {name: row for name, row in TYPES.items() if isinstance(row, TypeRule)}
    refused = {name: row for name, row in TYPES.items() if isinstance(row, Refusal)}
    lines = [
        "# Types",
        "",
        "To look up how silver stores the values of a PostgreSQL type, under its name in the catalogue: `bpchar` is",
        "`char(n)`. A domain is stored as its base type. A row with a value that silver can't hold goes to quarantine",
        "with the reason; if it was an update, silver keeps the previous row. Other rows are not affected.",
        "Written by `make docs` from `connectors/postgres/types.py`; a test sends values of every captured type",
        "through Debezium.",
        "",
        "Run Kafka Connect in UTC, as the local stack does.",
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
        "`source check` names such columns, with SQL that converts them to text.",
        "",
        "| type | why |",
        "|---|---|",
    ]
    lines += [f"| {types} | {refusal.why} |" for refusal, types in _lines(refused)]
    return "\n".join(lines) + "\n"


def contributing_page(page: str) -> str:
    """The page with the picture of the imports renewed, which is between two comments."""
    begin, end = "<!-- imports: written by `make docs` -->", "<!-- end of imports -->"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n\n{imports_picture()}\n\n{end}{after}"


def imports_picture() -> str:
    """Which package imports which, as a Mermaid graph; an import that a longer path implies is not drawn."""
    imports = _package_imports()
    lines = ["```mermaid", "graph TD"]
    for importer, imported in sorted(imports.items()):
        implied = {further for name in imported for further in _reachable(imports, name)}
        lines += [f"    {importer} --> {name}" for name in sorted(imported - implied)]
    return "\n".join([*lines, "```"])


def _package_imports() -> dict[str, set[str]]:
    graph = grimp.build_graph("connectors", "tasks", "flows", "deployments")
    found: dict[str, set[str]] = defaultdict(set)
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            importer, name = _package(module), _package(imported)
            if importer != name:
                found[importer].add(name)
    return found


def _package(module: str) -> str:
    """`connectors.lake.silver.merge` is in `lake`; the other layers are one package each."""
    layer, *names = module.split(".")
    return names[0] if layer == "connectors" and names else layer


def _reachable(imports: dict[str, set[str]], name: str) -> set[str]:
    return imports.get(name, set()).union(*(_reachable(imports, further) for further in imports.get(name, set())))


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
    if value in (ROOT / "dbt", ROOT / "connectors/synthetic/loads.yaml"):
        return ""  # in a wheel they are elsewhere
    return str(value).removeprefix(f"{Path.cwd()}/")


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
