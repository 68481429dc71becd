"""Every code block of the written pages is checked, as far as that goes without running the stack.

Commands are parsed by the real command line and by make; SQL by DuckDB; Python's imports are run, its calls bound to
the signatures of what they call. A block in a language without a check fails: nothing goes unchecked by accident.
"""

import ast
import inspect
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import botocore.session
import duckdb
import pytest
import typer.main
import yaml

from connectors.settings import Settings
from deployments.cli import app

ROOT = Path(__file__).parents[2]
GENERATED = {"docs/commands.md"}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ASSIGNMENT = re.compile(r"([A-Z][A-Z0-9_]*)=.*")


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def written_pages() -> list[Path]:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in pages if str(page.relative_to(ROOT)) not in GENERATED]


def blocks() -> Iterator[Block]:
    for page in written_pages():
        text = page.read_text()
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield Block(str(page.relative_to(ROOT)), line, match[1], match[2])


def commands(code: str, *, prompt: str = "") -> Iterator[list[str]]:
    """The commands of a block as lists of words; in a transcript only the lines after a prompt are."""
    for line in code.replace("\\\n", " ").splitlines():
        if line.startswith(prompt):
            for command in line.removeprefix(prompt).split("&&"):
                if words := shlex.split(command, comments=True):
                    yield words


def setting_names() -> set[str]:
    return {
        f"LAKEHOUSE_{group}__{name}".upper()
        for group, field in Settings.model_fields.items()
        for name in getattr(field.annotation, "model_fields", {})
    }


def check_assignment(word: str) -> None:
    match = ASSIGNMENT.fullmatch(word)
    assert match, f"{word!r} is not NAME=value"
    if match[1].startswith("LAKEHOUSE_"):
        assert match[1] in setting_names(), f"no such setting: {match[1]}"


def check_lakehouse(words: list[str]) -> None:
    command = typer.main.get_command(app)
    path = "lakehouse"
    while hasattr(command, "get_command") and words:
        path, command = f"{path} {words[0]}", command.get_command(None, words[0])
        assert command is not None, f"no such command: {path}"
        words = words[1:]
    command.make_context(path, list(words))
    if path == "lakehouse query":
        check_sql(next(word for word in words if not word.startswith("-")))


def check_make(words: list[str]) -> None:
    # Assumed up to date, so that the dry run shows the target alone.
    fresh = ["--assume-old=.venv/.synced", "--assume-old=.boot/bin/uv"]
    subprocess.run(["make", "--dry-run", *fresh, *words], cwd=ROOT, check=True, capture_output=True)


def check_command(words: list[str]) -> None:
    while words and (words[0] == "export" or ASSIGNMENT.fullmatch(words[0])):
        if words[0] != "export":
            check_assignment(words[0])
        words = words[1:]
    if not words:
        return
    program = words[0].removeprefix(".venv/bin/").removeprefix(".boot/bin/")
    if program == "lakehouse":
        check_lakehouse(words[1:])
    elif program == "make":
        check_make(words[1:])
    elif program == "uv":
        assert (ROOT / words[-1]).exists(), f"nothing to open: {words[-1]}"
    elif program == "aws":
        check_aws(words[1:])
    elif program == "spark-submit":
        assert (ROOT / words[1]).exists(), f"nothing to submit: {words[1]}"
    elif program == "cp":
        assert (ROOT / words[1]).exists(), f"nothing to copy: {words[1]}"
    else:
        assert program in {"git", "cd", "pre-commit", "pytest", "python"}, f"unchecked command: {program}"


def check_aws(words: list[str]) -> None:
    service, operation, *rest = words
    if service == "s3":
        assert operation in {"cp", "sync"}
        return
    model = botocore.session.get_session().get_service_model(service)
    found = model.operation_model(operation.replace("-", " ").title().replace(" ", ""))
    options = {re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower() for name in found.input_shape.members}
    given = {word.removeprefix("--") for word in rest if word.startswith("--")}
    assert given <= options, f"no such option: {given - options}"


def check_dockerfile(code: str) -> None:
    instructions = [line.split()[0] for line in code.splitlines() if line]
    assert instructions[0] == "FROM"
    assert set(instructions) <= {"FROM", "USER", "RUN", "COPY", "ENV"}


def check_sql(sql: str) -> None:
    assert duckdb.extract_statements(sql)


def check_python(code: str) -> None:
    tree = ast.parse(code)
    names: dict[str, object] = {}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            exec(compile(ast.Module([node], []), "<block>", "exec"), names)
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in names:
            called = names[call.func.id]
            signature = inspect.signature(getattr(called, "fn", called))  # a Prefect flow or task keeps its function
            signature.bind(*call.args, **{keyword.arg: keyword.value for keyword in call.keywords if keyword.arg})


def check_sh(code: str) -> None:
    for words in commands(code):
        check_command(words)


def check_console(code: str) -> None:
    transcript = list(commands(code, prompt="$ "))
    assert transcript, "a transcript needs a line that starts with '$ '"
    for words in transcript:
        check_command(words)


def check_yaml(code: str) -> None:
    assert yaml.safe_load(code)


def check_mermaid(code: str) -> None:
    edges = [line.split(" --> ") for line in code.splitlines()[1:]]
    packages = {name.strip() for edge in edges for name in edge}
    assert packages
    for name in packages:
        places = [ROOT / name, ROOT / "connectors" / name, ROOT / "connectors" / f"{name}.py"]
        assert any(place.exists() for place in places), f"no such package: {name}"


CHECKS = {
    "sh": check_sh,
    "console": check_console,
    "python": check_python,
    "sql": check_sql,
    "mermaid": check_mermaid,
    "yaml": check_yaml,
    "dockerfile": check_dockerfile,
}


@pytest.mark.parametrize("block", list(blocks()), ids=str)
def test_code_block_holds(block: Block) -> None:
    if block.language != "text":
        CHECKS[block.language](block.code)


@pytest.mark.parametrize(
    "code",
    ["make no-such-target", "LAKEHOUSE_POSTGRES__HOTS=x lakehouse", "rm -rf /"],
)
def test_wrong_command_is_found(code: str) -> None:
    with pytest.raises((AssertionError, subprocess.CalledProcessError)):
        check_sh(code)


def test_wrong_call_is_found() -> None:
    with pytest.raises(TypeError, match="unexpected keyword"):
        check_python("from connectors.settings import load_settings\nload_settings(nonsense=1)")
