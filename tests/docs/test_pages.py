"""The pages say what the repository holds."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.settings import Settings
from tests.definitions import CASES

ROOT = Path(__file__).parents[2]
LINK = re.compile(r'\]\(([^)#\s]+)|(?:src|srcset|href)="([^"#]+)"')


def pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().split()) < 600


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = [a or b for a, b in LINK.findall(page.read_text())]
    broken = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert broken == []


def test_alterations_are_tried_as_their_page_says() -> None:
    rows = [line.split("|") for line in (ROOT / "docs/alterations.md").read_text().splitlines() if line[:2] == "| "]
    tried = ", ".join(row[3] for row in rows)
    assert set(re.findall("`([^`]+)`", tried)) == set(CASES)
    modules = set(re.findall("test_[a-z_]+", tried))
    assert [name for name in modules if not (ROOT / f"tests/integration/{name}.py").exists()] == []


def test_generated_pages_are_in_step() -> None:
    check = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert check.returncode == 0, check.stderr


def test_env_example_states_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LAKEHOUSE_HOME", "LAKEHOUSE_LAKE__ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    uncommented = re.sub(r"^# (LAKEHOUSE_\w+=.+)$", r"\1", (ROOT / ".env.example").read_text(), flags=re.MULTILINE)
    (tmp_path / "example.env").write_text(uncommented)
    stated, default = Settings(_env_file="example.env"), Settings(_env_file=None)
    assert stated.model_copy(update={"lake": default.lake}) == default
    assert Path(stated.lake.root).absolute() == Path(default.lake.root)


def test_files_that_contributing_names_are_there() -> None:
    named = re.findall(r"`([\w/]+\.(?:py|yaml|yml))`", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []
